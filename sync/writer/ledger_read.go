package writer

import (
	"context"
	"fmt"
	"iter"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	// windowMessages and windowBytes bound what is judged together.
	windowMessages = 1024
	windowBytes    = 4 << 20
)

// Read returns the records from a sequence on, oldest first, up to the newest
// that the leader has when it begins. It ends with the first error; one that
// wraps [ErrDamaged] names the place.
func (j *Ledger) Read(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		last, err := j.last(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}
		known, head, judged := j.since(from)
		if len(known) > 0 && last > judged { // a repair there changes what is known
			_ = j.catchUp(ctx) // an error comes again below
			known, head, judged = j.since(from)
		}
		for r, err := range j.readKnown(ctx, known) {
			if !yield(r, err) || err != nil {
				return
			}
		}
		reading := j.newReading(head, judged, last)
		reading.rereads = judged > 0
		for r, err := range reading.run(ctx) {
			if err == nil && r.Sequence < from {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// catchUp reads what is not known yet.
func (j *Ledger) catchUp(ctx context.Context) error {
	_, judged := j.position()
	for _, err := range j.Read(ctx, judged+1) {
		if err != nil {
			return err
		}
	}
	return nil
}

// last returns the sequence that the stream ends with, from a leader that has
// its majority. It is an error that the stream had more.
func (j *Ledger) last(ctx context.Context) (uint64, error) {
	_, judged := j.position() // before the question: others may append meanwhile
	info, err := j.conn.Info(ctx, j.name.stream)
	switch {
	case jetstream.HasCode(err, jetstream.CodeStreamNotFound):
		return 0, fmt.Errorf("read ledger: %w", jetstream.StreamLost(j.name.stream))
	case err != nil:
		return 0, fmt.Errorf("read ledger: %w", err)
	}
	if err := info.VerifyLease(); err != nil {
		return 0, fmt.Errorf("read ledger: %w: %w", flagsync.ErrUnreachable, err)
	}
	if last := info.State.LastSequence; last < judged && !j.forgetNoise(last) {
		return 0, fmt.Errorf("read ledger: %w: %w: %s ends at %d and had a message at %d: the server lags behind, or an earlier copy took its place; "+
			"if it lasts, %s", flagsync.ErrUnreachable, ErrLedgerCut, j.name.stream, last, judged, j.name.remedy())
	}
	return info.State.LastSequence, nil
}

// readKnown returns records whose digests are known. It is [ErrDamaged] when one
// is not there any more, unless a repair went on behind it.
func (j *Ledger) readKnown(ctx context.Context, known []changelog.Anchor) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if len(known) == 0 {
			return
		}
		for m, err := range j.conn.Messages(ctx, j.name.stream, known[0].Sequence, known[len(known)-1].Sequence) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			for len(known) > 0 && known[0].Sequence < m.Sequence {
				if !j.isRepaired(known[0].Sequence) {
					yield(Record{}, j.gone(known[0]))
					return
				}
				known = known[1:]
			}
			if len(known) == 0 || known[0].Sequence != m.Sequence {
				continue
			}
			r, err := j.decode(m, known[0])
			known = known[1:]
			if err != nil && j.isRepaired(m.Sequence) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		if len(known) > 0 && !j.isRepaired(known[len(known)-1].Sequence) {
			yield(Record{}, j.gone(known[0]))
		}
	}
}

func (j *Ledger) gone(a changelog.Anchor) error {
	return fmt.Errorf("read ledger: %w: %s at %d: the record is gone", ErrDamaged, j.name.stream, a.Sequence)
}

// isRepaired reports whether a repair stands behind a sequence.
func (j *Ledger) isRepaired(sequence uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sequence < j.repaired
}
