package events

import "time"

// Exposure is that a subject was given a variant of a flag that asks for exposures.
type Exposure struct {
	At          time.Time
	Flag        string
	Variant     string
	Revision    uint64 // of the flag
	Rule        int    // as in eval.Result
	Subject     string // the hash of the targeting key, in hexadecimal
	Application string // as in usage.Series
}

// Outcome is what an application says has happened.
type Outcome struct {
	At          time.Time
	Event       string
	Subject     string // as in Exposure; empty if there was no targeting key, or no key
	Value       float64
	Error       bool
	Flags       []string
	Application string
}

// Lost is how many there was no room for.
type Lost struct{ Exposures, Outcomes uint64 }
