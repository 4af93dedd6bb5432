package source

import "github.com/flagside/flagside/document"

// Waiting is a change request of a source that has not ended.
type Waiting struct {
	ID string
	// Open tells that it can be applied as it is, once enough have approved: nothing that it was made from has changed.
	Open bool
	// Documents are what it changes. Those with a nil Body are deleted.
	Documents []document.Document
}

// Step is what becomes of the one change request of a source when it is to make changes that need approvals.
type Step int

// The steps.
const (
	Open   Step = iota + 1 // open a new one
	Rebase                 // derive the first of those that wait again: it has to be approved again
	Keep                   // leave the first of those that wait: it makes exactly these changes
)

// Request returns the step for the part of a plan that needs approvals.
func Request(own []Waiting, part []Change) Step {
	switch {
	case len(own) == 0:
		return Open
	case !own[0].Open || !own[0].makes(part):
		return Rebase
	default:
		return Keep
	}
}

// makes reports whether a change request makes exactly the changes of a part.
func (w Waiting) makes(part []Change) bool {
	if len(w.Documents) != len(part) {
		return false
	}
	wanted := make(map[document.ID]Change, len(part))
	for _, c := range part {
		wanted[c.ID] = c
	}
	for _, d := range w.Documents {
		c, ok := wanted[d.ID()]
		if !ok || (c.After == nil) != (d.Body == nil) || c.After != nil && !Same(c.After, d.Body) {
			return false
		}
	}
	return true
}
