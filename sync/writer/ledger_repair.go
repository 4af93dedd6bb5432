package writer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// ErrLedgerWhole means that a journal needs no repair.
var ErrLedgerWhole = errors.New("the ledger is complete: there is nothing to repair")

// LedgerRepair is what an operator orders: see [RepairLedger].
type LedgerRepair struct {
	Actor  string // opaque id of who orders it
	Reason string
	// BreakGlass tells that it is done without the consent that policies want.
	BreakGlass bool
	// Missing is a record that is named elsewhere and that the journal may lack,
	// as [Ledger.Missing] returns it; zero if none is known.
	Missing changelog.Anchor
}

// LedgerRepaired is what a repair has done.
type LedgerRepaired struct {
	Head changelog.Anchor // the newest record: the last one that repairs
	// Kept are the newest records of the chains that stay valid, in ascending
	// order; there is more than one when records between them are missing.
	Kept []changelog.Anchor
	// Lost are the places whose records are missing, in ascending order. What
	// stood there may have been no record.
	Lost []changelog.Interval
	// Lacks is the record that is named elsewhere and is lost; zero if none is.
	Lacks changelog.Anchor
}

// RepairLedger goes on behind a damage: a place without a message, a record that
// cannot be read, one of another history, or an end that is missing. It appends a
// signed record, changelog.RecordRepaired, that names what it keeps and what is
// lost, and begins a new chain. Everything signed before it stays valid. When the
// end is missing it appends as many as it takes for the sequences of the records
// that are lost never to be used again. A stream that is gone is created.
//
// It returns what was done, or [ErrLedgerWhole] when there is nothing to repair.
func RepairLedger(ctx context.Context, conn *flagsync.Conn, name LedgerName, replicas int, r LedgerRepair) (LedgerRepaired, error) {
	c := jetstream.Use(conn)
	config, err := name.config(replicas)
	gone := false
	if err == nil {
		_, absent := c.Info(ctx, name.stream)
		gone = jetstream.HasCode(absent, jetstream.CodeStreamNotFound)
		_, err = c.CreateStream(ctx, config)
	}
	if err != nil {
		return LedgerRepaired{}, fmt.Errorf("repair %s: %w", name.stream, err)
	}
	j := &Ledger{conn: c, name: name}
	j.Expect(r.Missing)
	done, err := j.repair(ctx, r, gone)
	if err != nil {
		return LedgerRepaired{}, fmt.Errorf("repair %s: %w", name.stream, err)
	}
	return done, nil
}

// repair appends until nothing is wrong. What is empty because its stream was gone
// takes a repair in any case.
func (j *Ledger) repair(ctx context.Context, r LedgerRepair, gone bool) (done LedgerRepaired, err error) {
	if err := j.maySign(); err != nil {
		return done, err
	}
	var pauses jetstream.Backoff
	for sent := false; ; sent = true {
		damage, err := j.survey(ctx)
		if err != nil {
			return done, err
		}
		switch {
		case damage.reading.obstacle() != nil || !damage.lacks().IsZero():
		case sent:
			done.Head = j.Head()
			return done, nil
		case !gone:
			return done, ErrLedgerWhole
		}
		if !sent {
			done = damage.outcome()
		}
		err = damage.goOn(ctx, r)
		if err != nil && !jetstream.Undecided(err) && !errors.Is(err, ErrConflict) {
			return done, err
		}
		if err != nil && !pauses.Wait(ctx) {
			return done, fmt.Errorf("%w: %w", ErrUndecided, err)
		}
	}
}

// outcome returns what a repair keeps and what is lost.
func (d *damage) outcome() LedgerRepaired {
	o := LedgerRepaired{Kept: d.reading.judge.Ends(), Lacks: d.lacks(), Lost: d.skipped()}
	if next := d.reading.last + 1; o.Lacks.Sequence >= next {
		o.Lost = append(o.Lost, changelog.Interval{First: next, Last: o.Lacks.Sequence})
	}
	return o
}

// damage is a journal that was read to its end, with what is wrong there.
type damage struct {
	ledger  *Ledger
	reading *reading
}

// lacks returns the record that is missing, zero if none is.
func (d *damage) lacks() changelog.Anchor {
	missing := d.ledger.Missing()
	if d.reading.judge.Keeps(missing) {
		return changelog.Anchor{}
	}
	return missing
}

// survey reads what is not known yet, over every obstacle.
func (j *Ledger) survey(ctx context.Context) (*damage, error) {
	info, err := j.conn.Info(ctx, j.name.stream)
	if err == nil {
		err = info.VerifyLease()
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
	return &damage{ledger: j, reading: r}, nil
}

// goOn appends repairs until one stands behind the record that is missing.
func (d *damage) goOn(ctx context.Context, r LedgerRepair) error {
	body := changelog.LedgerRepair{
		Kept: d.reading.judge.Ends(), Lacks: d.lacks(), Skipped: d.skipped(),
		Actor: r.Actor, Reason: r.Reason, BreakGlass: r.BreakGlass, Time: time.Now(),
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
	var skipped []changelog.Interval
	for _, hole := range d.reading.holes {
		if hole.Last > d.reading.judge.Head().Sequence {
			skipped = append(skipped, hole)
		}
	}
	for _, sequence := range d.reading.judge.Unread() {
		skipped = append(skipped, changelog.Interval{First: sequence, Last: sequence})
	}
	slices.SortFunc(skipped, func(a, b changelog.Interval) int { return cmp.Compare(a.First, b.First) })
	return skipped
}

// append stores one repair at a place. What becomes of it is found out by the
// next survey.
func (d *damage) append(ctx context.Context, place uint64, r changelog.LedgerRepair) (changelog.Anchor, error) {
	body, err := r.Encode()
	if err != nil {
		return changelog.Anchor{}, err
	}
	a := ledgerAppend{ledger: d.ledger, opID: newID(), body: body}
	if err := a.encode(place); err != nil {
		return changelog.Anchor{}, err
	}
	ack, err := d.ledger.conn.Publish(ctx, a.msg)
	switch {
	case err != nil:
		return changelog.Anchor{}, err
	case ack.Duplicate || ack.Sequence != place:
		return changelog.Anchor{}, ErrConflict
	}
	return a.at, nil
}
