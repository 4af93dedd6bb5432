package flagsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// ErrJournalWhole means that a journal needs no repair.
var ErrJournalWhole = errors.New("the ledger is complete: there is nothing to repair")

// JournalRepair is what an operator orders: see [RepairJournal].
type JournalRepair struct {
	Actor  string // opaque id of who orders it
	Reason string
	// Missing is a record that is named elsewhere and that the journal may lack,
	// as [Journal.Missing] returns it; zero if none is known.
	Missing changelog.Anchor
}

// RepairJournal goes on behind a damage: a place without a message, a record that
// cannot be read, one of another history, or an end that is missing. It appends a
// signed record, changelog.RecordRepaired, that names what it keeps and what is
// lost, and begins a new chain. Everything signed before it stays valid. When the
// end is missing it appends as many as it takes for the sequences of the records
// that are lost never to be used again. A stream that is gone is created.
//
// It returns the newest record, or [ErrJournalWhole] when there is nothing to
// repair.
func RepairJournal(ctx context.Context, c *Conn, name JournalName, replicas int, r JournalRepair) (changelog.Anchor, error) {
	config, err := name.config(replicas)
	if err == nil {
		_, err = c.createStream(ctx, config)
	}
	if err != nil {
		return changelog.Anchor{}, fmt.Errorf("repair %s: %w", name.stream, err)
	}
	j := &Journal{conn: c, name: name}
	j.Expect(r.Missing)
	head, err := j.repair(ctx, r)
	if err != nil {
		return changelog.Anchor{}, fmt.Errorf("repair %s: %w", name.stream, err)
	}
	return head, nil
}

func (j *Journal) repair(ctx context.Context, r JournalRepair) (changelog.Anchor, error) {
	if err := j.maySign(); err != nil {
		return changelog.Anchor{}, err
	}
	var pauses backoff
	for sent := false; ; sent = true {
		damage, err := j.survey(ctx)
		if err != nil {
			return changelog.Anchor{}, err
		}
		switch {
		case damage.reading.obstacle() != nil || !j.Missing().IsZero():
		case sent:
			return j.Head(), nil
		default:
			return j.Head(), ErrJournalWhole
		}
		err = damage.goOn(ctx, r)
		if err != nil && !undecided(err) && !errors.Is(err, ErrConflict) {
			return changelog.Anchor{}, err
		}
		if err != nil && !pauses.wait(ctx) {
			return changelog.Anchor{}, fmt.Errorf("%w: %w", ErrUndecided, err)
		}
	}
}

// damage is a journal that was read to its end, with what is wrong there.
type damage struct {
	journal *Journal
	reading *reading
}

// survey reads what is not known yet, over every obstacle.
func (j *Journal) survey(ctx context.Context) (*damage, error) {
	info, err := j.conn.info(ctx, j.name.stream)
	if err == nil {
		err = info.verifyLease()
	}
	if err != nil {
		return nil, err
	}
	head, judged := j.position()
	r := j.newReading(head, judged, info.State.LastSequence)
	for _, err := range r.run(ctx) {
		if err != nil && !errors.Is(err, ErrDamaged) {
			return nil, err
		}
	}
	return &damage{journal: j, reading: r}, nil
}

// goOn appends repairs until one stands behind the record that is missing.
func (d *damage) goOn(ctx context.Context, r JournalRepair) error {
	body := changelog.JournalRepair{
		Kept: d.reading.judge.Ends(), Lacks: d.journal.Missing(), Skipped: d.skipped(),
		Actor: r.Actor, Reason: r.Reason, Time: time.Now(),
	}
	if n := len(body.Kept); n > 0 {
		body.Leaves, body.Kept = body.Kept[n-1], body.Kept[:n-1]
	}
	for place := d.reading.last + 1; ; place++ {
		at, err := d.append(ctx, place, body)
		if err != nil {
			return err
		}
		body.Leaves, body.Kept, body.Skipped = at, nil, nil
		if place > body.Lacks.Sequence {
			return nil
		}
	}
}

// skipped returns the places behind the head that have no message or one that
// cannot be read.
func (d *damage) skipped() []changelog.Interval {
	skipped := d.reading.holes
	for _, sequence := range d.reading.judge.Unread() {
		skipped = append(skipped, changelog.Interval{First: sequence, Last: sequence})
	}
	return skipped
}

// append stores one repair at a place. What becomes of it is found out by the
// next survey.
func (d *damage) append(ctx context.Context, place uint64, r changelog.JournalRepair) (changelog.Anchor, error) {
	body, err := r.Encode()
	if err != nil {
		return changelog.Anchor{}, err
	}
	a := journalAppend{journal: d.journal, opID: newID(), body: body}
	if err := a.encode(place); err != nil {
		return changelog.Anchor{}, err
	}
	ack, err := d.journal.conn.publish(ctx, a.msg, publishTimeout+uploadTime(len(a.msg.Data)))
	switch {
	case err != nil:
		return changelog.Anchor{}, err
	case ack.Duplicate || ack.Sequence != place:
		return changelog.Anchor{}, ErrConflict
	}
	return a.at, nil
}
