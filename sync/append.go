package flagsync

import (
	"context"
	"errors"
	"fmt"
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
	// Documents are put, or deleted when their Body is nil. Bodies must be
	// compact JSON, see changelog.CompactDocument. Revisions are ignored. There
	// are 1 to changelog.MaxEntries.
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
func (s OutcomeState) String() string {
	switch s {
	case Committed:
		return "committed"
	case Lost:
		return "lost"
	case Open:
		return "open"
	default:
		return fmt.Sprintf("outcome %d", int(s))
	}
}

// Outcome is what became of an append.
type Outcome struct {
	State OutcomeState
	// Position is the one after the change when it is committed, that of the
	// entry that took its place when it is lost, and the base when it is open.
	Position changelog.Position
	Records  changelog.Transaction // what stands in the log, when it is committed
}

// Append appends one transaction after base, which must be the head: it is
// compare-and-set. It tries, and asks the leader, until the outcome is known or
// ctx ends; an outcome that is open then is no error.
//
// An error means that nothing was written: the change breaks a limit, the log
// is not the history that base belongs to ([changelog.ErrDifferentHistory]),
// nothing could be sent before ctx ended ([ErrUnreachable]), or JetStream
// refused the change for good.
func (l *Log) Append(ctx context.Context, base changelog.Position, c Change) (Outcome, error) {
	if base.IsZero() {
		return Outcome{}, errors.New("append: there is no position to append after")
	}
	a, err := l.newAppend(base, c.entries(base.Epoch))
	if err != nil {
		return Outcome{}, fmt.Errorf("append: %w", err)
	}
	outcome, err := a.run(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("append %s: %w", c.OpID, err)
	}
	return outcome, nil
}

// entries returns the entries of the change, not yet chained.
func (c Change) entries(epoch changelog.Epoch) []changelog.Entry {
	entries := make([]changelog.Entry, len(c.Documents))
	for i, d := range c.Documents {
		entries[i] = changelog.Entry{
			Epoch: epoch, OpID: c.OpID, Kind: d.Kind, Key: d.Key, Index: i + 1, Count: len(c.Documents),
			Put: d.Body, Delete: d.Body == nil,
			Actor: c.Actor, Approvers: c.Approvers, Reason: c.Reason, Request: c.Request, Time: c.Time,
		}
	}
	return entries
}

// run tries until the outcome is known or ctx ends.
func (a *appending) run(ctx context.Context) (Outcome, error) {
	var pauses backoff
	var failure error
	for {
		outcome, err := a.attempt(ctx)
		if err == nil && outcome.State != Open {
			a.log.remember(outcome.Position)
			return outcome, nil
		}
		if err != nil && !errors.Is(err, ErrUnreachable) {
			return Outcome{}, err
		}
		failure = err
		if !pauses.wait(ctx) {
			break
		}
	}
	if !a.sent {
		return Outcome{}, errors.Join(failure, fmt.Errorf("%w: nothing was sent: %w", ErrUnreachable, context.Cause(ctx)))
	}
	return Outcome{State: Open, Position: a.base}, nil
}

// attempt sends the change once and finds out what became of it. Open with a
// nil error means to try again, and so does [ErrUnreachable].
func (a *appending) attempt(ctx context.Context) (Outcome, error) {
	if !a.sent {
		if err := a.verifyBase(ctx); err != nil {
			return Outcome{}, err
		}
	}
	first := !a.sent
	ack, err := a.send(ctx)
	switch {
	case err == nil && !ack.Duplicate && ack.Sequence == a.last().Revision:
		return a.committed(), nil
	case !a.sent:
		return Outcome{}, err
	case err != nil && first && !undecided(err):
		return Outcome{}, err // nothing of it was ever in the log
	case untaken(err):
		return Outcome{State: Open}, nil
	}
	return a.resolve(ctx, ack.Duplicate || hasCode(err, codeDuplicateInBatch))
}

// verifyBase reports that the log is not the history that base belongs to. It
// asks the leader unless base was seen there already.
func (a *appending) verifyBase(ctx context.Context) error {
	if a.base.IsZero() || a.log.lastKnown() == a.base {
		return nil
	}
	m, err := a.log.conn.message(ctx, a.stream, a.base.Revision)
	switch {
	case errors.Is(err, errNoMessage):
		return fmt.Errorf("the log has no revision %d: %w", a.base.Revision, changelog.ErrDifferentHistory)
	case hasCode(err, codeStreamNotFound):
		return lost(a.stream)
	case err != nil:
		return err
	}
	if digest := changelog.Sum(m.Data); digest != a.base.Digest {
		return fmt.Errorf("revision %d is %s in the log and %s here: %w",
			a.base.Revision, digest, a.base.Digest, changelog.ErrDifferentHistory)
	}
	return nil
}

// resolve asks the leader what stands where the change belongs. duplicate tells
// that JetStream has seen it before.
func (a *appending) resolve(ctx context.Context, duplicate bool) (Outcome, error) {
	soon, cancel := context.WithTimeout(ctx, resolveTimeout)
	m, err := a.log.conn.message(soon, a.stream, a.base.Revision+1)
	cancel()
	switch {
	case errors.Is(err, errNoMessage) && duplicate:
		return a.resolveEarlier(ctx)
	case err != nil:
		return Outcome{State: Open}, nil //nolint:nilerr // the next attempt finds out
	}
	found, err := m.record()
	if err != nil { // not written by us: we can read what we write
		at := changelog.Position{Revision: m.Sequence, Digest: changelog.Sum(m.Data)}
		return Outcome{State: Lost, Position: at}, nil //nolint:nilerr // lost is the answer
	}
	switch {
	case found.OpID != a.opID():
		return Outcome{State: Lost, Position: found.Position()}, nil
	case found.Digest == a.records[0].Digest:
		return a.committed(), nil
	}
	return a.readCommitted(ctx, found)
}

// resolveEarlier looks for the change at a revision before base, where an
// earlier call with another base has committed it: that makes JetStream call it
// a duplicate.
func (a *appending) resolveEarlier(ctx context.Context) (Outcome, error) {
	m, err := a.log.conn.lastMessage(ctx, a.stream, a.message(0).Subject)
	if err != nil {
		return Outcome{State: Open}, nil //nolint:nilerr // the next attempt finds out
	}
	found, err := m.record()
	if err != nil || found.OpID != a.opID() {
		return Outcome{State: Open}, nil //nolint:nilerr // overwritten since
	}
	return a.readCommitted(ctx, found)
}

// readCommitted reads the transaction that found belongs to: ours, written by
// an earlier call with other bytes.
func (a *appending) readCommitted(ctx context.Context, found changelog.Record) (Outcome, error) {
	first := found.Revision - uint64(found.Index) + 1
	transaction := make(changelog.Transaction, 0, found.Count)
	for r, err := range a.log.Read(ctx, first, first+uint64(found.Count)-1) {
		if err != nil {
			return Outcome{State: Open}, nil // the next attempt finds out
		}
		transaction = append(transaction, r)
	}
	return Outcome{State: Committed, Position: transaction.Position(), Records: transaction}, nil
}

func (a *appending) committed() Outcome {
	return Outcome{State: Committed, Position: a.last().Position(), Records: a.records}
}
