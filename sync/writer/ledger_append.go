package writer

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// noiseTries is how many times a record is written anew because a message that
// no publisher signed took its place.
const noiseTries = 16

// Append appends a record, whose body is JSON, after the one with the sequence
// base, 0 being none, and returns its own sequence. It tries, and asks the
// leader, until the outcome is known or ctx ends, which is [ErrUndecided] unless
// nothing is open. [ErrConflict] tells that another record follows base,
// [ErrForeignMessages] that messages of others take every place, and
// [ErrLedgerCut] that records are missing.
//
// An op-id names one append: repeating it with the same base stores nothing
// twice.
func (j *Ledger) Append(ctx context.Context, base uint64, opID string, body []byte) (uint64, error) {
	sequence, err := j.append(ctx, base, ledgerAppend{ledger: j, opID: opID, body: body})
	if err != nil {
		return 0, fmt.Errorf("append to %s after %d: %w", j.name.stream, base, err)
	}
	return sequence, nil
}

func (j *Ledger) append(ctx context.Context, base uint64, a ledgerAppend) (uint64, error) {
	if err := j.maySign(); err != nil {
		return 0, err
	}
	if err := j.verifyExpected(ctx); err != nil {
		return 0, err
	}
	prev, err := j.find(ctx, base)
	if err != nil {
		return 0, err
	}
	if after, ok := j.after(base); ok {
		return j.compare(ctx, after, a.opID)
	}
	a.prev = prev
	return a.run(ctx)
}

// maySign reports why nothing can be signed now.
func (j *Ledger) maySign() error {
	switch {
	case j.conn.Signer() == nil:
		return fmt.Errorf("%w: there is no signing key: only publishers have one", changelog.ErrUnsigned)
	case !j.conn.Keyring().Signs(j.conn.Signer().ID()):
		return fmt.Errorf("%w: key %08x", ErrKeyRetired, j.conn.Signer().ID())
	}
	return j.conn.Keyring().Supported()
}

// find returns the record with a sequence, 0 being none.
func (j *Ledger) find(ctx context.Context, sequence uint64) (changelog.Anchor, error) {
	if sequence == 0 {
		return changelog.Anchor{}, nil
	}
	a, known := j.at(sequence)
	if !known {
		if err := j.catchUp(ctx); err != nil {
			return changelog.Anchor{}, err
		}
		a, known = j.at(sequence)
	}
	if !known {
		return changelog.Anchor{}, fmt.Errorf("there is no record %d: %w", sequence, changelog.ErrDifferentHistory)
	}
	return a, nil
}

// after returns the record that follows one, if it is known.
func (j *Ledger) after(sequence uint64) (uint64, bool) {
	rest, _, _ := j.since(sequence + 1)
	if len(rest) == 0 {
		return 0, false
	}
	return rest[0].Sequence, true
}

// compare returns the sequence of a record that is of an op, and [ErrConflict]
// when it is of another one.
func (j *Ledger) compare(ctx context.Context, sequence uint64, opID string) (uint64, error) {
	r, err := j.Record(ctx, sequence)
	switch {
	case err != nil:
		return 0, err
	case r.OpID != opID:
		return 0, ErrConflict
	}
	return sequence, nil
}

// ledgerAppend is one record on its way into a journal.
type ledgerAppend struct {
	ledger *Ledger
	prev   changelog.Anchor
	opID   string
	body   []byte
	noted  uint64 // version of the keys note in body; 0 if it carries none

	at        changelog.Anchor // where it would stand now; zero before it was encoded
	encodings int              // places that it was encoded for
	displaced bool             // a foreign message took the place
	sent      bool             // to this place
	msg       jetstream.Outgoing
}

// encode writes the record for a place in the stream.
func (a *ledgerAppend) encode(place uint64) error {
	r := changelog.LedgerRecord{
		Stream: a.ledger.name.stream, Sequence: place, Prev: a.prev, OpID: a.opID, Body: a.body,
	}
	data, err := r.Encode()
	if err != nil {
		return err
	}
	a.at = changelog.Anchor{Sequence: r.Sequence, Digest: changelog.Sum(data)}
	proof, err := a.ledger.conn.Signer().SignRecord(r.Stream, a.at)
	if err != nil {
		return err
	}
	a.msg = jetstream.NewOutgoing(a.ledger.name.subject, data)
	a.msg.SetProof(string(proof))
	a.msg.SetID(a.at.Digest.String()) // unknown to others before it is sent
	a.msg.ExpectLast(place - 1)
	return nil
}

// run tries until it is known what follows prev.
func (a *ledgerAppend) run(ctx context.Context) (uint64, error) {
	if !a.ledger.conn.Connected() {
		return 0, jetstream.ErrNoConnection
	}
	var sequence uint64
	known, err := settle(ctx, a.ledger.conn, func() (known bool, err error) {
		for {
			if err := a.moveOn(ctx); err != nil {
				return true, err
			}
			sequence, known, err = a.attempt(ctx)
			if !errors.Is(err, errForeignPlace) {
				return known, err
			}
			a.displaced = true // without a pause: the sooner it is sent again, the likelier is its place
		}
	})
	if !known {
		err = fmt.Errorf("%w: %w", ErrUndecided, err)
	}
	return sequence, err
}

// errForeignPlace means that a message that no publisher signed stands where the
// record belongs: its bytes can never be stored.
var errForeignPlace = errors.New("a foreign message took the place")

// moveOn encodes the record for the next place, at first and when noise took the one before.
func (a *ledgerAppend) moveOn(ctx context.Context) error {
	if !a.at.IsZero() && !a.displaced {
		return nil
	}
	if a.encodings == noiseTries || a.displaced && ctx.Err() != nil {
		return ErrForeignMessages
	}
	a.encodings++
	a.displaced, a.sent = false, false
	_, judged := a.ledger.position()
	return a.encode(judged + 1)
}

// attempt publishes the same bytes once more, and reports whether it is known what stands in their place.
func (a *ledgerAppend) attempt(ctx context.Context) (sequence uint64, known bool, err error) {
	first := !a.sent
	a.sent = true
	ack, err := a.ledger.conn.Publish(ctx, a.msg)
	switch {
	case err == nil && !ack.Duplicate && ack.Sequence == a.at.Sequence:
		a.stored()
		return ack.Sequence, true, nil
	case err != nil && first && !jetstream.Undecided(err):
		return 0, true, err // nothing of it was ever stored
	case jetstream.NoResponders(err):
		return 0, false, err
	}
	sequence, lookup := a.resolve(ctx)
	switch {
	case lookup == nil, errors.Is(lookup, ErrConflict), errors.Is(lookup, errForeignPlace):
		return sequence, true, lookup
	case errors.Is(lookup, ErrDamaged):
		return 0, true, fmt.Errorf("%w: %w", ErrUndecided, lookup)
	}
	return 0, false, errors.Join(err, lookup)
}

// stored takes over what was acknowledged.
func (a *ledgerAppend) stored() {
	r := changelog.LedgerRecord{Sequence: a.at.Sequence, Digest: a.at.Digest, Prev: a.prev, Body: a.body}
	a.ledger.learn([]changelog.LedgerRecord{r}, nil, r.Sequence, a.noted)
}

var errStillOpen = errors.New("no record is in its place yet")

// resolve reads what stands behind prev.
func (a *ledgerAppend) resolve(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, jetstream.ResolveTimeout)
	defer cancel()
	if err := a.ledger.catchUp(ctx); err != nil {
		return 0, err
	}
	if after, ok := a.ledger.after(a.prev.Sequence); ok {
		return a.ledger.compare(ctx, after, a.opID)
	}
	if _, judged := a.ledger.position(); judged >= a.at.Sequence {
		return 0, errForeignPlace
	}
	return 0, errStillOpen
}
