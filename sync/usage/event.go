package usage

import (
	"errors"
	"math"
	"time"
)

const (
	// MaxSubject is how many bytes the name of a subject has at most: that of a hash in hexadecimal.
	MaxSubject = 64
	// MaxEvent is how many bytes the name of an outcome may have.
	MaxEvent = 255
	// MaxOutcomeFlags is how many flags an outcome may name.
	MaxOutcomeFlags = 50
)

// Exposure says that a subject was given a variant of a flag that asks for exposures. A
// sidecar tells it once for each subject, flag, variant and revision in 24 hours, as long as it remembers.
type Exposure struct {
	At       time.Time `json:"at"` // by the clock of the sidecar
	Flag     string    `json:"flag"`
	Variant  string    `json:"variant,omitzero"`
	Revision uint64    `json:"revision,omitzero"`
	Rule     int       `json:"rule,omitzero"` // as in Count
	// Subject is the hash of the targeting key with the environment's key for exposures
	// (HMAC-SHA-256), in hexadecimal: who does not hold that key cannot tell who it is.
	Subject     string `json:"subject"`
	Application string `json:"application,omitzero"` // if another than the report's
}

// Outcome is something that an application says has happened, so that it can be compared
// between the variants that those were given to whom it happened.
type Outcome struct {
	At          time.Time `json:"at"` // by the clock of the sidecar
	Event       string    `json:"event"`
	Subject     string    `json:"subject,omitzero"` // as in Exposure; empty if there was none, or no key
	Value       float64   `json:"value,omitzero"`
	Error       bool      `json:"error,omitzero"`
	Flags       []string  `json:"flags,omitempty"` // that it has to do with, as far as the application says
	Application string    `json:"application,omitzero"`
}

func (r *Report) validateEvents() error {
	for i := range r.Exposures {
		if err := r.Exposures[i].validate(); err != nil {
			return err
		}
	}
	for i := range r.Outcomes {
		if err := r.Outcomes[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

func (e *Exposure) validate() error {
	if e.Flag == "" || len(e.Flag) > maxKey || len(e.Variant) > maxVariant || e.Rule < 0 || len(e.Application) > MaxLabel {
		return errors.New("usage report: an exposure that cannot be")
	}
	if e.Subject == "" || len(e.Subject) > MaxSubject {
		return errors.New("usage report: an exposure whose subject is missing or too long")
	}
	return nil
}

func (o *Outcome) validate() error {
	if o.Event == "" || len(o.Event) > MaxEvent || len(o.Subject) > MaxSubject || len(o.Application) > MaxLabel {
		return errors.New("usage report: an outcome that cannot be")
	}
	if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) {
		return errors.New("usage report: an outcome whose value is no number")
	}
	if len(o.Flags) > MaxOutcomeFlags {
		return errors.New("usage report: an outcome of too many flags")
	}
	for _, key := range o.Flags {
		if key == "" || len(key) > maxKey {
			return errors.New("usage report: an outcome of a flag whose key is missing or too long")
		}
	}
	return nil
}
