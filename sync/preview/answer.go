package preview

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/status"
)

// The limits of an answer.
const (
	MaxAnswer       = 64 << 10 // bytes of a message
	MaxFlags        = 100      // flags that are told of one by one
	MaxChanges      = 32       // changes of one flag that are told of one by one
	MaxApplications = 64
	// MaxCount bounds what one sidecar can claim.
	MaxCount = 1 << 40
)

// What a sidecar does to its counts, so that they tell little about few.
const (
	// MinSamples is how many evaluations of a flag a sidecar must remember to tell
	// anything of it but how often it was evaluated.
	MinSamples = 20
	// MinCount is the least number of remembered evaluations that is told as it is.
	// A smaller number of changes or errors becomes this one or 0 at random, so that it
	// is right on average. That there are errors at all is told in any case.
	MinCount = 5
)

// Refusal is why a sidecar has no counts. The zero value is that it has.
type Refusal string

// The refusals.
const (
	RefusedBusy     Refusal = "busy"      // it was asked too often, or has spent its time
	RefusedBehind   Refusal = "behind"    // it does not serve the revision that the change was made from
	RefusedEpoch    Refusal = "epoch"     // it serves another history
	RefusedNotReady Refusal = "not-ready" // it has nothing to answer applications from, or ends
	RefusedInvalid  Refusal = "invalid"   // the documents do not compile there
	RefusedClock    Refusal = "clock"     // its clock is Validity or more from the time of the question
)

// Answer is what one sidecar says to a question: counts, and the names of flags,
// variants and applications. Unknown members are ignored, because it will grow.
type Answer struct {
	Version int     `json:"v"`
	ID      string  `json:"id"`   // of the question
	Boot    string  `json:"boot"` // of the sidecar
	Refused Refusal `json:"refused,omitempty"`

	// AheadMs is how far the clock there is ahead of the time of the question, negative if
	// it is behind; told with RefusedClock only.
	AheadMs int64 `json:"aheadMs,omitzero"`

	SinceMs      int64    `json:"sinceMs,omitzero"` // how far back evaluations are remembered
	Applications []string `json:"applications,omitempty"`
	Flags        []Flag   `json:"flags,omitempty"`
	MoreFlags    int      `json:"moreFlags,omitzero"` // flags that the change touches and that are not listed
	// Partial is true if not all that is remembered was evaluated, for lack of time.
	Partial bool `json:"partial,omitzero"`
}

// Flag is what would come of the evaluations of one flag.
type Flag struct {
	Key string `json:"key"`
	// Evaluations is how many there were. What follows is estimated for as many.
	Evaluations uint64 `json:"evaluations"`
	// Samples is how many of them were looked at. With fewer than MinSamples nothing
	// else is told.
	Samples int      `json:"samples"`
	Changes []Change `json:"changes,omitempty"`
	// ErrorsBefore and ErrorsAfter are how many fail as things are, and would.
	ErrorsBefore uint64 `json:"errorsBefore,omitzero"`
	ErrorsAfter  uint64 `json:"errorsAfter,omitzero"`
	// Fails is true if any of them would fail, also where ErrorsAfter is 0.
	Fails bool `json:"fails,omitzero"`
}

// Change is how many evaluations would get another answer, of one kind. An empty
// name is an answer without a variant: an error, or that the application's own
// default applies. Names that are equal mean that the variant has another value.
type Change struct {
	From string `json:"from"`
	To   string `json:"to"`
	N    uint64 `json:"n"`
}

// OtherVariants stands for variants that there is no room for.
const OtherVariants = "…"

// Encode returns the bytes of an answer. Flags that there is no room for are left
// out and counted.
func Encode(a Answer) ([]byte, error) {
	a.Version = Version
	if more := len(a.Flags) - MaxFlags; more > 0 {
		a.Flags, a.MoreFlags = a.Flags[:MaxFlags], a.MoreFlags+more
	}
	for {
		data, err := json.Marshal(a, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("preview: %w", err)
		}
		if len(data) <= MaxAnswer {
			return data, a.validate()
		}
		if len(a.Flags) == 0 {
			return nil, fmt.Errorf("preview: an answer of %d bytes, at most %d are allowed", len(data), MaxAnswer)
		}
		kept := len(a.Flags) / 2
		a.Flags, a.MoreFlags = a.Flags[:kept], a.MoreFlags+len(a.Flags)-kept
	}
}

// Decode decodes an answer and refuses what exceeds a limit.
func Decode(data []byte) (Answer, error) {
	var a Answer
	if len(data) > MaxAnswer {
		return a, fmt.Errorf("preview: an answer of %d bytes, at most %d are allowed", len(data), MaxAnswer)
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return Answer{}, fmt.Errorf("preview: %w", err)
	}
	if err := a.validate(); err != nil {
		return Answer{}, err
	}
	return a, nil
}

func (a *Answer) validate() error {
	switch {
	case a.Version != Version:
		return fmt.Errorf("preview: format %d: %w", a.Version, ErrVersion)
	case len(a.Refused) > status.MaxLabel || a.SinceMs < 0 || a.MoreFlags < 0 || a.MoreFlags > MaxCount:
		return errors.New("preview: an answer that cannot be")
	case len(a.Flags) > MaxFlags || len(a.Applications) > MaxApplications:
		return errors.New("preview: an answer with too many flags or applications")
	}
	if err := errors.Join(status.ValidateBoot(a.ID), status.ValidateBoot(a.Boot)); err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	for _, name := range a.Applications {
		if len(name) > status.MaxLabel {
			return errors.New("preview: the name of an application that is too long")
		}
	}
	for i := range a.Flags {
		if err := a.Flags[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

func (f *Flag) validate() error {
	var sum uint64
	for _, c := range f.Changes {
		if c.N > MaxCount { // so that the sum cannot overflow
			return errors.New("preview: a change that cannot be")
		}
		sum += c.N
	}
	if f.Key == "" || len(f.Key) > document.MaxKey || f.Samples < 0 || len(f.Changes) > MaxChanges ||
		max(f.Evaluations, f.ErrorsBefore, f.ErrorsAfter, sum) > MaxCount {
		return errors.New("preview: counts of a flag that cannot be")
	}
	return nil
}
