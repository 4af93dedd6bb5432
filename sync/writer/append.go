package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
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
	Documents []document.Document
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
	// Cause is why it is open, as far as that is known: [ErrDiskFull] or nil.
	Cause error
}

// Append appends one transaction after the position of basis, which must be the
// head: it is compare-and-set. It tries, and asks the leader, until the outcome is
// known or ctx ends; an outcome that is open then is no error.
//
// An error means that nothing was written: the change breaks a limit, the log
// is not the history that basis belongs to ([changelog.ErrDifferentHistory]),
// the documents of basis are not the state that was signed ([ErrDifferentState]),
// noise took every place ([ErrForeignMessages]), the disk is full ([ErrDiskFull]), the signing key does not count
// ([ErrKeyRetired]), nothing could be sent before ctx ended ([ErrUnreachable]), or
// JetStream refused the change for good.
func (l *Log) Append(ctx context.Context, basis Basis, c Change) (Outcome, error) {
	base := basis.Position()
	if base.IsZero() {
		return Outcome{}, errors.New("append: there is no position to append after")
	}
	a, err := l.newAppend(basis, base.Revision, c.entries(base.Epoch))
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

// run tries until the outcome is known, ctx ends or the disk is full.
func (a *appending) run(ctx context.Context) (Outcome, error) {
	var outcome Outcome
	known, err := settle(ctx, a.log.conn, func() (bool, error) {
		for {
			var err error
			encodings := a.encodings
			outcome, err = a.attempt(ctx)
			switch {
			case err == nil && outcome.State != Open:
				return true, nil
			case err != nil && !errors.Is(err, flagsync.ErrUnreachable):
				return true, err
			case a.encodings == encodings || ctx.Err() != nil: // else noise took the place, and will not wait
				return false, err
			}
		}
	})
	switch {
	case known && err != nil:
		return Outcome{}, err
	case known:
		return outcome, nil
	case !a.sent:
		return Outcome{}, errors.Join(err, fmt.Errorf("%w: nothing was sent: %w", flagsync.ErrUnreachable, context.Cause(ctx)))
	}
	return Outcome{State: Open, Position: a.base(), Cause: a.log.conn.StorageError()}, nil
}

// attempt sends the change once and finds out what became of it. Open with a
// nil error means to try again, and so does [ErrUnreachable].
func (a *appending) attempt(ctx context.Context) (Outcome, error) {
	if !a.sent {
		if err := a.place(ctx); err != nil {
			return Outcome{}, err
		}
	}
	first := !a.sent
	ack, err := a.send(ctx)
	if jetstream.HasCode(err, jetstream.CodeIncompleteBatch) { // nothing else tells that a batch could not be stored aside
		a.log.conn.ProbeStorage()
	}
	if ack.Duplicate || jetstream.HasCode(err, jetstream.CodeDuplicateInFlight, jetstream.CodeDuplicateInBatch) {
		a.id = "-" + newID()
	}
	switch {
	case err == nil && !ack.Duplicate && ack.Sequence == a.last().Revision:
		return a.committed(a.records), nil
	case !a.sent:
		return Outcome{}, err
	case err != nil && first && !jetstream.Undecided(err):
		return Outcome{}, err // nothing of it was ever in the log
	case jetstream.NoResponders(err):
		return Outcome{State: Open}, nil
	}
	return a.resolve(ctx)
}

// place verifies that the log holds the base, and that the documents are what was
// signed there. If noise is known to stand behind it, the change goes behind that.
func (a *appending) place(ctx context.Context) error {
	base, t := a.base(), a.log.lastKnown()
	if base.IsZero() {
		return nil
	}
	if t.head != base {
		return a.verifyBase(ctx)
	}
	if err := a.verifyState(t.state); err != nil {
		return err
	}
	if t.judged > a.expected {
		return a.encode(t.judged)
	}
	return nil
}

// verifyState compares the documents that the change is decided on with the state
// that was signed there, unless that is not known or is left for a new epoch.
func (a *appending) verifyState(signed changelog.Digest) error {
	ours := a.basis.State().Digest()
	if a.entries[0].Kind == document.KindEpoch || signed.IsZero() || ours == signed {
		return nil
	}
	return fmt.Errorf("%w: at revision %d it is %s here, and %s was signed", ErrDifferentState, a.base().Revision, ours, signed)
}

// verifyBase asks the leader whether the log holds the base.
func (a *appending) verifyBase(ctx context.Context) error {
	base := a.base()
	m, err := a.log.conn.Message(ctx, a.stream, base.Revision)
	switch {
	case errors.Is(err, jetstream.ErrNoMessage):
		return fmt.Errorf("the log has no revision %d: %w", base.Revision, changelog.ErrDifferentHistory)
	case jetstream.HasCode(err, jetstream.CodeStreamNotFound):
		return jetstream.StreamLost(a.stream)
	case err != nil:
		return err
	}
	if digest := changelog.Sum(m.Data); digest != base.Digest {
		return fmt.Errorf("revision %d is %s in the log and %s here: %w",
			base.Revision, digest, base.Digest, changelog.ErrDifferentHistory)
	}
	r, err := changelog.DecodeRecord(base.Revision, m.Data)
	if err != nil {
		return err
	}
	return a.verifyState(r.State)
}

// resolve asks the leader what stands where the change belongs: the first entry
// after the base decides. Over noise the change is encoded for the next place.
func (a *appending) resolve(ctx context.Context) (Outcome, error) {
	soon, cancel := context.WithTimeout(ctx, jetstream.ResolveTimeout)
	defer cancel()
	info, err := a.log.conn.Info(soon, a.stream)
	if err != nil || info.State.LastSequence <= a.expected {
		return Outcome{State: Open}, nil // the next attempt finds out
	}
	entries, err := a.entriesAfterBase(soon, info.State.LastSequence)
	switch {
	case errors.Is(err, changelog.ErrUnreadable):
		return Outcome{State: Lost, Position: changelog.Position{Revision: info.State.LastSequence}}, nil
	case err != nil:
		return Outcome{State: Open}, nil // as above
	case len(entries) == 0:
		return a.evade(info.State.LastSequence)
	case entries[0].OpID != a.opID():
		return Outcome{State: Lost, Position: entries[0].Position()}, nil
	case len(entries) < entries[0].Count:
		return Outcome{State: Open}, nil
	}
	return a.committed(entries[:entries[0].Count]), nil
}

// entriesAfterBase returns the entries that follow the base, as far as they are
// needed to know what became of the change.
func (a *appending) entriesAfterBase(ctx context.Context, last uint64) ([]changelog.Record, error) {
	judge := changelog.NewReplayJudge(a.log.conn.Keyring(), a.log.environment, a.base())
	var entries []changelog.Record
	read := places{next: a.lookBehind() + 1}
	for batch, err := range a.log.conn.Batches(ctx, a.stream, a.lookBehind()+1, last) {
		if err != nil {
			return nil, err
		}
		for _, m := range batch {
			read.read(m.Sequence)
			if err := a.log.offer(ctx, judge, a.base().Link(), m); err != nil {
				return nil, err
			}
		}
		entries = append(entries, judge.SettleSoFar()...)
		if len(entries) > 0 && len(entries) >= entries[0].Count {
			return entries, nil
		}
	}
	entries = append(entries, judge.Settle(-1)...)
	if len(entries) > 0 {
		return entries, nil
	}
	return nil, read.whole(a.after, last)
}

// lookBehind returns the sequence behind which it is decided what became of the
// change: that of the base or, where nothing of the log can be continued, the one
// that it was written behind.
func (a *appending) lookBehind() uint64 {
	if base := a.base(); !base.IsZero() {
		return base.Revision
	}
	return a.after
}

// evade encodes the change for the place behind noise.
func (a *appending) evade(last uint64) (Outcome, error) {
	if a.encodings >= maxEncodings {
		return Outcome{}, fmt.Errorf("%w: %s has %d messages behind revision %d", ErrForeignMessages, a.stream, last-a.base().Revision, a.base().Revision)
	}
	return Outcome{State: Open}, a.encode(last)
}

// committed takes note of the change as it stands in the log, where others may have
// written behind it since.
func (a *appending) committed(tx changelog.Transaction) Outcome {
	for _, r := range tx {
		if text, err := changelog.KeysText(r.Put); err == nil && r.Kind == document.KindKeys {
			_ = a.log.conn.Keyring().Adopt(text) // it is in the log now
		}
	}
	a.log.remember(logTail{}.after(tx))
	return Outcome{State: Committed, Position: tx.Position(), Records: tx}
}
