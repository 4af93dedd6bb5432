package resolver

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Log is what the resolver knows of the log behind the views. Its methods are safe for concurrent use.
type Log interface {
	// Age returns how long ago everything that existed was applied for sure; known is false if that never was. It takes no lock and does
	// not allocate, because answers wait for it.
	Age() (age time.Duration, known bool)
	// Barrier returns nil once everything that was committed before the call is applied and shown by the views. It fails when ctx ends,
	// and as soon as it is known that the log cannot be asked.
	Barrier(ctx context.Context) error
	// Wait returns nil once the revision that t names is applied, and an error when ctx ends before or t belongs to another history.
	Wait(ctx context.Context, t changelog.Token) error
}

// errNoLog is the answer of noLog.
var errNoLog = errors.New("no log is followed")

// noLog stands in for a log when none is followed: nothing can be confirmed.
type noLog struct{}

// Age implements Log.
func (noLog) Age() (age time.Duration, known bool) { return 0, false }

// Barrier implements Log.
func (noLog) Barrier(context.Context) error { return errNoLog }

// Wait implements Log.
func (noLog) Wait(context.Context, changelog.Token) error { return errNoLog }
