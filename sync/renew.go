package flagsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// renewalBytes bounds one transaction of a renewal, but for its last document.
const renewalBytes = 4 << 20

// Renewal is a state that is written as a new epoch.
type Renewal struct {
	OpID   string // of the first transaction; those after it add their number
	Actor  string
	Reason string
	Time   time.Time // for people
	// Documents yields exactly Count live documents. Their revisions are ignored.
	Documents iter.Seq[changelog.Document]
	Count     int
}

// Recreate writes a state as a new epoch of an environment that CONTROL knows,
// after whatever its log holds. Streams that are gone are made anew. It is an
// operator's decision: the state that the log had before is history.
//
// Followers keep what they have until the new state is complete. An error in
// between leaves it incomplete, so that nobody takes it over; repeat it then.
func (e *Environments) Recreate(ctx context.Context, name string, r Renewal) (changelog.Position, error) {
	fact, _, err := e.conn.fact(ctx, name)
	if err != nil {
		return changelog.Position{}, fmt.Errorf("recreate: %w", err)
	}
	if !fact.Archived.IsZero() {
		return changelog.Position{}, fmt.Errorf("recreate: %w: %q", ErrEnvironmentArchived, name)
	}
	for _, config := range []streamConfig{ledgerConfig(name, e.replicas), snapConfig(name, e.replicas), flagsConfig(name, e.replicas)} {
		if _, err := e.conn.createStream(ctx, config); err != nil {
			return changelog.Position{}, fmt.Errorf("recreate %s: %w", name, err)
		}
	}
	l := &Log{conn: e.conn, environment: name, replicas: e.replicas}
	position, err := l.renew(ctx, r)
	if err != nil {
		return changelog.Position{}, fmt.Errorf("recreate %s: %w", name, err)
	}
	return position, nil
}

// renew writes the epoch entry and the documents.
func (l *Log) renew(ctx context.Context, r Renewal) (changelog.Position, error) {
	base, err := l.end(ctx)
	if err != nil {
		return changelog.Position{}, err
	}
	w := &renewing{log: l, renewal: r, epoch: changelog.NewEpoch(), base: base}
	w.add(changelog.Entry{Kind: changelog.KindEpoch, Key: changelog.EpochKey, Complete: base.Revision + uint64(r.Count) + 1})
	for d := range r.Documents {
		if len(w.part) == changelog.MaxEntries || w.bytes >= renewalBytes {
			if err := w.write(ctx); err != nil {
				return changelog.Position{}, err
			}
		}
		w.add(changelog.Entry{Kind: d.Kind, Key: d.Key, Put: d.Body})
	}
	if w.documents != r.Count {
		return changelog.Position{}, fmt.Errorf("%d documents were announced and %d are there", r.Count, w.documents)
	}
	if err := w.write(ctx); err != nil {
		return changelog.Position{}, err
	}
	// The copy of the epoch is put right by the next beat if this fails.
	_ = l.conn.updateMetadata(ctx, flagsStream(l.environment), w.epoch)
	return w.base, nil
}

// end returns what a new epoch continues: the last entry, readable or not.
// Without any entry it is the zero position.
func (l *Log) end(ctx context.Context) (changelog.Position, error) {
	stream := flagsStream(l.environment)
	info, err := l.conn.info(ctx, stream)
	if err != nil || info.State.LastSequence == 0 {
		return changelog.Position{}, err
	}
	base := changelog.Position{Revision: info.State.LastSequence}
	m, err := l.conn.message(ctx, stream, base.Revision)
	if err != nil && !errors.Is(err, errNoMessage) {
		return changelog.Position{}, err
	}
	if err == nil {
		base.Digest = changelog.Sum(m.Data)
	}
	l.remember(base)
	return base, nil
}

// renewing is a renewal on its way into the log.
type renewing struct {
	log       *Log
	renewal   Renewal
	epoch     changelog.Epoch
	base      changelog.Position // after what is written
	part      []changelog.Entry  // the next transaction
	bytes     int                // of its documents
	parts     int
	documents int
}

func (w *renewing) add(e changelog.Entry) {
	e.Epoch, e.Actor, e.Reason, e.Time = w.epoch, w.renewal.Actor, w.renewal.Reason, w.renewal.Time
	w.part = append(w.part, e)
	w.bytes += len(e.Put)
	if e.Kind != changelog.KindEpoch {
		w.documents++
	}
}

// write appends the next transaction.
func (w *renewing) write(ctx context.Context) error {
	w.parts++
	op := w.renewal.OpID
	if w.parts > 1 {
		op += "-" + strconv.Itoa(w.parts)
	}
	for i := range w.part {
		w.part[i].OpID, w.part[i].Index, w.part[i].Count = op, i+1, len(w.part)
	}
	a, err := w.log.newAppend(w.base, w.part)
	if err != nil {
		return err
	}
	outcome, err := a.run(ctx)
	switch {
	case err != nil:
		return err
	case outcome.State == Open:
		return fmt.Errorf("%w: it is undecided whether the new epoch was written, repeat it", ErrUnreachable)
	case outcome.State == Lost:
		return errors.New("somebody else wrote to the log meanwhile, so the new epoch is not complete and nobody takes it over: repeat it")
	}
	w.base, w.part, w.bytes = outcome.Position, nil, 0
	return nil
}
