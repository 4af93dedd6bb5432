package flagsync

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Change is what one transaction does.
type Change struct {
	OpID      string // of the change; the same when it is tried again
	Actor     string
	Approvers []string
	Reason    string
	Request   string    // change request, if any
	Time      time.Time // for people
	// Documents are put, or deleted when their Body is nil. Revisions are
	// ignored. There are 1 to changelog.MaxEntries.
	Documents []changelog.Document
}

// OutcomeState says what became of an append.
type OutcomeState int

// The outcomes. The zero value is none of them.
const (
	// Committed means that the change is in the log.
	Committed OutcomeState = iota + 1
	// Lost means that another entry took its place: nothing was written, and
	// nothing of it will be.
	Lost
	// Open means that it was neither when time ran out: it may still be
	// committed. Ask again with the same change and the same base.
	Open
)

// String returns the name in lower case.
func (s OutcomeState) String() string { return "" }

// Outcome is what became of an append.
type Outcome struct {
	State    OutcomeState
	Position changelog.Position    // after the change when it is committed, otherwise the head that was seen last
	Records  changelog.Transaction // what was written, when it is committed
}

// Append appends one transaction after base.
func (l *Log) Append(ctx context.Context, base changelog.Position, c Change) (Outcome, error) {
	return Outcome{}, errors.ErrUnsupported
}
