package publisher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// restoration is a restore under way.
type restoration struct {
	p        *Publisher
	conn     *flagsync.Conn
	file     *backup.File
	verified verified
	order    writer.Order
	op       string // the beginning of the op-ids of what it writes
	done     *RestoredBackup
}

// same has the installation of the backup go on.
func (r *restoration) same(ctx context.Context) error {
	if err := r.verifyEmpty(ctx); err != nil {
		return err
	}
	for _, e := range r.verified.environments {
		if err := r.allow(e.Name); err != nil {
			return err
		}
	}
	for i, s := range r.file.Header.Streams {
		err := patiently(ctx, func() error {
			_, err := backup.Fill(ctx, r.conn, s.Name, r.p.options.Replicas, r.file.All(i))
			return err
		})
		if err != nil {
			return r.occupied(err)
		}
	}
	for i, s := range r.file.Header.Streams { // a server that stored something else would be found now
		if held, err := r.compare(ctx, i, s.Name); err != nil || !held.All {
			return errors.Join(err, fmt.Errorf("%s does not hold what was stored in it", s.Name))
		}
	}
	for _, e := range r.verified.environments {
		if !e.Destroyed.IsZero() {
			continue
		}
		if err := r.renew(ctx, e); err != nil { // what is archived too: it may be revived, and sidecars may know more of it
			return err
		}
	}
	return patiently(ctx, func() error { return r.record(ctx) })
}

func (r *restoration) compare(ctx context.Context, number int, stream string) (held backup.Holds, err error) {
	err = patiently(ctx, func() error {
		held, err = backup.Compare(ctx, r.conn, stream, r.p.options.Replicas, r.file.All(number))
		return err
	})
	return held, err
}

func (r *restoration) allow(environment string) error {
	if r.p.server == nil {
		return nil
	}
	return r.p.server.AllowEnvironment(environment)
}

// verifyEmpty refuses streams that hold anything but what an earlier run of this restore has written. CONTROL is written to last.
func (r *restoration) verifyEmpty(ctx context.Context) error {
	for i, s := range r.file.Header.Streams {
		held, err := r.compare(ctx, i, s.Name)
		if err != nil {
			return r.occupied(err)
		}
		if held.Behind == 0 {
			continue
		}
		environment, isLog := backup.Environment(s.Name)
		if s.Name == writer.ControlLedger().Stream() && r.recorded(ctx, held.Behind) {
			return fmt.Errorf("%w: %w", ErrNotEmpty, errRestored)
		}
		if !isLog {
			return r.occupied(fmt.Errorf("%s goes on at %d: %w", s.Name, held.Behind, backup.ErrOccupied))
		}
		if err := r.verifyOwn(ctx, environment, s.Name, held.Behind); err != nil {
			return r.occupied(err)
		}
	}
	return nil
}

// errRestored means that nothing is left to do.
var errRestored = errors.New("this backup was restored here before, to its end")

// recorded reports whether a record of CONTROL says that this restore is complete.
func (r *restoration) recorded(ctx context.Context, sequence uint64) bool {
	for m, err := range backup.Read(ctx, r.conn, writer.ControlLedger().Stream(), sequence, sequence) {
		if err != nil {
			return false
		}
		record, err := changelog.DecodeLedgerRecord(m.Data)
		return err == nil && record.OpID == r.op
	}
	return false
}

// verifyOwn refuses a log that has anything behind the backup but entries of this restore.
func (r *restoration) verifyOwn(ctx context.Context, environment, stream string, from uint64) error {
	last, _, err := backup.Last(ctx, r.conn, stream)
	if err != nil {
		return err
	}
	for m, err := range backup.Read(ctx, r.conn, stream, from, last) {
		if err != nil {
			return err
		}
		if e, err := changelog.DecodeEntry(m.Data); err != nil || !strings.HasPrefix(e.OpID, r.op) {
			return fmt.Errorf("%s goes on at %d: %w", stream, m.Sequence, backup.ErrOccupied)
		}
	}
	return nil
}

// occupied adds what to do about streams that hold something.
func (r *restoration) occupied(err error) error {
	if !errors.Is(err, backup.ErrOccupied) {
		return err
	}
	remedy := "name a server or an account without streams of flagside, or delete them there first, with \"nats stream rm\""
	if r.p.server != nil {
		remedy = "name a new data directory"
	}
	return fmt.Errorf("%w: %w: %s", ErrNotEmpty, err, remedy)
}

// renew begins a new epoch with the state that the backup ends with: sidecars that know a newer one follow only that.
func (r *restoration) renew(ctx context.Context, e writer.Environment) error {
	s := r.verified.states[e.Name]
	n := writer.NewEpoch{
		OpID: r.op, Actor: r.order.Actor, Reason: r.reason(), Time: time.Now(), Documents: slices.Values(s.Documents), Count: len(s.Documents),
		Archived: true,
	}
	if r.done.Same() {
		n.After = s.Position
	}
	var position changelog.Position
	err := patiently(ctx, func() error { // one that was not completed counts for nothing
		list, err := writer.OpenEnvironments(ctx, r.conn, r.p.options.Replicas)
		if err == nil {
			position, err = list.Recreate(ctx, e.Name, n)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.done.Epochs = append(r.done.Epochs, RestoredEnvironment{e.Name, s.Position, position, len(s.Documents), !e.Archived.IsZero()})
	return nil
}

// reason says in signed records what was done.
func (r *restoration) reason() string {
	said := fmt.Sprintf("restored from the backup of %s (%x)", r.file.Header.Time.Format(time.RFC3339), r.file.Sum[:8])
	if r.order.Reason == "" {
		return said
	}
	return said + ": " + r.order.Reason
}

// record says in CONTROL that everything was restored.
func (r *restoration) record(ctx context.Context) error {
	journal, err := writer.OpenLedger(ctx, r.conn, writer.ControlLedger(), r.p.options.Replicas)
	if err != nil {
		return err
	}
	head, err := newest(ctx, journal, changelog.StreamHead{}, nil)
	if err != nil || r.recorded(ctx, head.Sequence) {
		return err
	}
	body, err := access.RestoredRecord(time.Now(), r.order.Actor, access.Why{Reason: r.reason()})
	if err != nil {
		return err
	}
	_, err = journal.Append(ctx, head.Sequence, r.op, body)
	return err
}

// other makes another installation of the documents in the backup: what the other one signed proves nothing here, and nothing of it is stored.
// An environment that an earlier run made has nothing but its first transaction, or what this restore wrote.
func (r *restoration) other(ctx context.Context) error {
	if err := r.verifyUnused(ctx); err != nil {
		return err
	}
	list, err := writer.OpenEnvironments(ctx, r.conn, r.p.options.Replicas)
	if err == nil {
		_, err = writer.OpenPeople(ctx, r.conn, r.p.options.Replicas)
	}
	if err != nil {
		return err
	}
	for _, e := range r.verified.environments {
		if !e.Destroyed.IsZero() {
			continue
		}
		if !e.Archived.IsZero() {
			r.done.LeftOut = append(r.done.LeftOut, e.Name)
			continue
		}
		if err := r.allow(e.Name); err != nil {
			return err
		}
		_, err := list.Create(ctx, e.Name, writer.Order{Actor: r.order.Actor, Reason: r.reason()})
		if err != nil && !errors.Is(err, writer.ErrEnvironmentExists) {
			return err
		}
		if err := r.renew(ctx, e); err != nil {
			return err
		}
	}
	return patiently(ctx, func() error { return r.record(ctx) })
}

// verifyUnused refuses a server on which there is anything but what an earlier run of this restore has made: its environments, and nothing that
// was done to them by others.
func (r *restoration) verifyUnused(ctx context.Context) error {
	control := writer.ControlLedger().Stream()
	_, exists, err := backup.Last(ctx, r.conn, control)
	if err != nil || !exists {
		return err
	}
	for record, err := range writer.NewLedger(r.conn, writer.ControlLedger()).Read(ctx, 1) {
		if err != nil {
			return err
		}
		act, ok, err := access.DecodeAct(record)
		switch {
		case err != nil:
			return err
		case record.OpID == r.op:
			return fmt.Errorf("%w: %w", ErrNotEmpty, errRestored)
		case ok && act.Type == changelog.RecordKeys, ok && act.Type == "environment.created" && act.Reason == r.reason():
		default:
			return r.occupied(fmt.Errorf("%s has a record at %d: %w", control, record.Sequence, backup.ErrOccupied))
		}
	}
	return nil
}
