package flagsync

import (
	"context"
	"errors"
	"iter"

	"github.com/flagside/flagside/sync/changelog"
)

// Log is the change log of one environment as a publisher sees it: whatever it
// reads is the leader's answer. It is safe for concurrent use.
type Log struct{}

// OpenLog opens the log of an environment that exists. It refuses one whose
// stream is gone or has other settings than it must have.
func OpenLog(ctx context.Context, c *Conn, environment string, replicas int) (*Log, error) {
	return nil, errors.ErrUnsupported
}

// Environment returns the name of the environment.
func (l *Log) Environment() string { return "" }

// Head returns the position of the newest entry, as the leader knows it.
func (l *Log) Head(ctx context.Context) (changelog.Position, error) {
	return changelog.Position{}, errors.ErrUnsupported
}

// History returns every entry about one document, oldest first. It ends with
// the first error.
func (l *Log) History(ctx context.Context, id changelog.ID) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) { yield(changelog.Record{}, errors.ErrUnsupported) }
}

// Read returns the entries of the revisions from to to, both included. It ends
// with the first error.
func (l *Log) Read(ctx context.Context, from, to uint64) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) { yield(changelog.Record{}, errors.ErrUnsupported) }
}
