package flagsync

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Log is the change log of one environment as a publisher sees it: whatever it
// decides on is the leader's answer. It is safe for concurrent use.
type Log struct {
	conn        *Conn
	environment string
	replicas    int

	mu    sync.Mutex
	known changelog.Position // stood in the log when it was looked at last
}

// OpenLog opens the log of an environment that exists. It refuses one whose
// stream is gone ([ErrStreamLost]) or has other settings than it must have
// ([ErrStreamMismatch]), and environments that CONTROL does not know
// ([ErrEnvironmentUnknown]) or has archived ([ErrEnvironmentArchived]).
func OpenLog(ctx context.Context, c *Conn, environment string, replicas int) (*Log, error) {
	if err := errors.Join(ValidateEnvironment(environment), validateReplicas(replicas)); err != nil {
		return nil, err
	}
	fact, _, err := c.fact(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if !fact.Archived.IsZero() {
		return nil, fmt.Errorf("open log: %w: %q", ErrEnvironmentArchived, environment)
	}
	if _, err := c.openStream(ctx, ledgerConfig(environment, replicas)); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	info, err := c.openStream(ctx, flagsConfig(environment, replicas))
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if info.State.LastSequence == 0 {
		return nil, fmt.Errorf("open log: it is empty: %w", lost(flagsStream(environment)))
	}
	l := &Log{conn: c, environment: environment, replicas: replicas}
	head, err := l.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, l.restoreEpoch(ctx, info, head.Epoch)
}

// Environment returns the name of the environment.
func (l *Log) Environment() string { return l.environment }

// restoreEpoch writes the epoch back into the stream's metadata when it is not
// what the log says: an update of the stream by hand erases it.
func (l *Log) restoreEpoch(ctx context.Context, info *streamInfo, epoch changelog.Epoch) error {
	if info.Config.Metadata[metadataEpoch] == string(epoch) {
		return nil
	}
	return l.conn.updateMetadata(ctx, info.Config.Name, epoch)
}

// Head returns the position of the newest entry, as the leader knows it.
func (l *Log) Head(ctx context.Context) (changelog.Position, error) {
	m, err := l.conn.lastMessage(ctx, flagsStream(l.environment), flagsSubject(l.environment)+".>")
	switch {
	case errors.Is(err, errNoMessage), hasCode(err, codeStreamNotFound):
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, lost(flagsStream(l.environment)))
	case err != nil:
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, err)
	}
	record, err := m.record()
	if err != nil {
		return changelog.Position{}, fmt.Errorf("head of %s: %w", l.environment, err)
	}
	l.remember(record.Position())
	return record.Position(), nil
}

// History returns every entry about one document, oldest first, up to the
// newest that the leader has when it begins. It ends with the first error.
func (l *Log) History(ctx context.Context, id changelog.ID) iter.Seq2[changelog.Record, error] {
	return records(l.history(ctx, flagsSubject(l.environment)+"."+id.Subject()))
}

func (l *Log) history(ctx context.Context, subject string) iter.Seq2[storedMessage, error] {
	stream := flagsStream(l.environment)
	return func(yield func(storedMessage, error) bool) {
		last, err := l.conn.lastMessage(ctx, stream, subject)
		if errors.Is(err, errNoMessage) {
			return
		}
		var pauses backoff
		for next := uint64(1); err == nil && next <= last.Sequence; {
			var batch []storedMessage
			batch, err = l.conn.batch(ctx, stream, batchRequest{Sequence: next, NextBySubject: subject, Batch: batchEntries, MaxBytes: batchBytes})
			for _, m := range batch {
				if !yield(m, nil) {
					return
				}
				next = m.Sequence + 1
			}
			if behind := len(batch) == 0 && (err == nil || errors.Is(err, errNoMessage)); behind && pauses.wait(ctx) {
				err = nil
			}
		}
		if err != nil {
			yield(storedMessage{}, fmt.Errorf("history in %s: %w", l.environment, err))
		}
	}
}

// Read returns the entries of the revisions from to to, both included. It ends
// with the first error; a revision that the log does not have is one.
func (l *Log) Read(ctx context.Context, from, to uint64) iter.Seq2[changelog.Record, error] {
	return records(l.conn.messages(ctx, flagsStream(l.environment), max(from, 1), to))
}

func records(messages iter.Seq2[storedMessage, error]) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		for m, err := range messages {
			var r changelog.Record
			if err == nil {
				r, err = m.record()
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// begin writes the epoch entry a log begins with, unless it is there, and
// returns it.
func (l *Log) begin(ctx context.Context, actor string) (changelog.Record, error) {
	stream := flagsStream(l.environment)
	m, err := l.conn.message(ctx, stream, 1)
	if err == nil {
		return m.record()
	}
	if !errors.Is(err, errNoMessage) {
		return changelog.Record{}, err
	}
	entry := changelog.Entry{
		Epoch: changelog.NewEpoch(), OpID: newID(), Kind: changelog.KindEpoch, Key: changelog.EpochKey,
		Index: 1, Count: 1, Actor: actor, Time: time.Now().UTC(),
	}
	a, err := l.newAppend(changelog.Position{}, []changelog.Entry{entry})
	if err != nil {
		return changelog.Record{}, err
	}
	outcome, err := a.run(ctx)
	switch {
	case err != nil:
		return changelog.Record{}, err
	case outcome.State == Committed:
		return outcome.Records[0], nil
	case outcome.State == Open:
		return changelog.Record{}, fmt.Errorf("it is undecided whether the first entry was written, repeat it: %w", ErrUnreachable)
	}
	if m, err = l.conn.message(ctx, stream, 1); err != nil {
		return changelog.Record{}, err
	}
	return m.record()
}

func (l *Log) remember(p changelog.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = p
}

func (l *Log) lastKnown() changelog.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

// newID returns a random id.
func newID() string { return rand.Text() }
