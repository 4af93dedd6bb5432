package writer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// epochBytes bounds one transaction of a renewal, but for its last document.
const epochBytes = 4 << 20

// NewEpoch is a state that is written as a new epoch.
type NewEpoch struct {
	OpID   string // of the first transaction; those after it add their number
	Actor  string
	Reason string
	Time   time.Time // for people
	// Documents yields exactly Count live documents, without the keys note, which
	// is written besides. Their revisions are ignored.
	Documents iter.Seq[document.Document]
	Count     int
	// After is the position that is left where the log does not tell, because its
	// stream is gone; zero is not known. The new epoch is later than that of it.
	After changelog.Position
	// Archived lets it be written to an environment that is archived, which else fails with [ErrEnvironmentArchived].
	Archived bool
	// Onto is where the log must end for the new epoch to be written, so that no
	// newer change is lost; the zero position is that of a log without entries. nil
	// is anywhere.
	Onto *changelog.Position
	// Begun is called when the streams are there and before anything is written,
	// which its error prevents. It may be nil.
	Begun func(context.Context) error
	// Wrote is called after each transaction with how many documents it has. It may
	// be nil.
	Wrote func(documents int)
}

// Recreate writes a state as a new epoch of an environment that CONTROL knows,
// after whatever its log holds. Streams that are gone are created again. It is an
// operator's decision: the state that the log had before is history.
//
// Followers keep what they have until the new state is complete. An error in
// between leaves it incomplete, so that no follower takes it over; repeat it then.
func (e *Environments) Recreate(ctx context.Context, name string, r NewEpoch) (changelog.Position, error) {
	known, err := readEnvironment(ctx, e.conn, name, e.replicas)
	if err != nil {
		return changelog.Position{}, fmt.Errorf("recreate: %w", err)
	}
	if !known.Archived.IsZero() && !r.Archived {
		return changelog.Position{}, fmt.Errorf("recreate: %w: %q", ErrEnvironmentArchived, name)
	}
	for _, config := range []jetstream.StreamConfig{jetstream.LedgerConfig(name, e.replicas), jetstream.SnapConfig(name, e.replicas), jetstream.FlagsConfig(name, e.replicas)} {
		if _, err := e.conn.CreateStream(ctx, config); err != nil {
			return changelog.Position{}, fmt.Errorf("recreate %s: %w", name, err)
		}
	}
	if r.Begun != nil {
		if err := r.Begun(ctx); err != nil {
			return changelog.Position{}, fmt.Errorf("recreate %s: %w", name, err)
		}
	}
	l := newLog(e.conn, LogOptions{Environment: name, Replicas: e.replicas})
	position, err := l.writeEpoch(ctx, r)
	if err != nil {
		return changelog.Position{}, fmt.Errorf("recreate %s: %w", name, err)
	}
	return position, nil
}

// writeEpoch writes the epoch entry, the keys note and the documents.
func (l *Log) writeEpoch(ctx context.Context, r NewEpoch) (changelog.Position, error) {
	end, err := l.end(ctx)
	if err != nil {
		return changelog.Position{}, err
	}
	if r.Onto != nil && end.head != *r.Onto {
		return changelog.Position{}, fmt.Errorf("%w: the log ends at revision %d and the new epoch was made from revision %d: repeat it",
			ErrConflict, end.head.Revision, r.Onto.Revision)
	}
	keys, err := changelog.KeysDocument(l.conn.Keyring().Note())
	if err != nil {
		return changelog.Position{}, err
	}
	leaves := end.head
	if r.After.Epoch.Later(leaves.Epoch) {
		leaves = r.After
	}
	w := &epochWriter{log: l, state: r, epoch: changelog.NewEpoch(time.Now(), leaves.Epoch), basis: noBasis{end.head}, after: end.judged}
	w.add(changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey, Complete: uint64(r.Count) + 1, Leaves: leaves})
	w.add(changelog.Entry{Kind: keys.Kind, Key: keys.Key, Put: keys.Body})
	documents := 0
	for d := range r.Documents {
		if d.Kind == document.KindKeys {
			return changelog.Position{}, errors.New("the documents of a new epoch hold a keys note")
		}
		if len(w.part) == changelog.MaxEntries || w.bytes >= epochBytes {
			if err := w.write(ctx); err != nil {
				return changelog.Position{}, err
			}
		}
		documents++
		w.documents++
		w.add(changelog.Entry{Kind: d.Kind, Key: d.Key, Put: d.Body})
	}
	if documents != r.Count {
		return changelog.Position{}, fmt.Errorf("%d documents were announced and %d are there", r.Count, documents)
	}
	if err := w.write(ctx); err != nil {
		return changelog.Position{}, err
	}
	return w.basis.Position(), nil
}

// end returns what a new epoch continues: the last entry that is proved, if there
// is one.
func (l *Log) end(ctx context.Context) (logTail, error) {
	info, err := l.conn.Info(ctx, jetstream.FlagsStream(l.environment))
	if err != nil || info.State.LastSequence == 0 {
		return logTail{}, err
	}
	t, err := l.find(ctx, info.State.LastSequence)
	if errors.Is(err, jetstream.ErrHole) {
		return t, nil // the new epoch continues what is left
	}
	if errors.Is(err, flagsync.ErrStreamLost) || errors.Is(err, changelog.ErrUnreadable) {
		return logTail{judged: info.State.LastSequence}, nil // nothing in it can be continued
	}
	return t, err
}

// epochWriter is a renewal on its way into the log.
type epochWriter struct {
	log   *Log
	state NewEpoch
	epoch changelog.Epoch
	basis Basis             // after what is written
	after uint64            // sequence behind which it is written
	part  []changelog.Entry // the next transaction
	bytes int               // of its documents
	parts int

	documents int // of the next transaction, without the keys note
}

func (w *epochWriter) add(e changelog.Entry) {
	e.Epoch, e.Actor, e.Reason, e.Time = w.epoch, w.state.Actor, w.state.Reason, w.state.Time
	w.part = append(w.part, e)
	w.bytes += len(e.Put)
}

// write appends the next transaction.
func (w *epochWriter) write(ctx context.Context) error {
	w.parts++
	op := w.state.OpID
	if w.parts > 1 {
		op += "-" + strconv.Itoa(w.parts)
	}
	for i := range w.part {
		w.part[i].OpID, w.part[i].Index, w.part[i].Count = op, i+1, len(w.part)
	}
	a, err := w.log.newAppend(w.basis, w.after, w.part)
	if err != nil {
		return err
	}
	outcome, err := a.run(ctx)
	switch {
	case err != nil:
		return err
	case outcome.State == Open:
		return fmt.Errorf("%w: it is undecided whether the new epoch was written, repeat it", flagsync.ErrUnreachable)
	case outcome.State == Lost:
		return errors.New("another publisher wrote to the log meanwhile, so the new epoch is not complete and nothing takes it over: repeat it")
	}
	if w.state.Wrote != nil {
		w.state.Wrote(w.documents)
	}
	w.basis, w.part, w.bytes, w.documents = After(w.basis, outcome.Records), nil, 0, 0
	w.after = w.basis.Position().Revision
	return nil
}
