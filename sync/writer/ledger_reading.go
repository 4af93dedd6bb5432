package writer

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// reading judges the messages of a journal that are not known yet.
type reading struct {
	ledger  *Ledger
	judge   *changelog.LedgerJudge
	next    uint64 // the message to be offered
	last    uint64
	offered []uint64 // since it was settled
	bytes   int
	holes   []changelog.Interval // places without a message
	found   bool                 // any message was
	// rereads makes a repair that is met replace what the journal has known before.
	rereads bool
}

// newReading returns one that goes on after a record, from the message after
// judged to last.
func (j *Ledger) newReading(head changelog.Anchor, judged, last uint64) *reading {
	return &reading{
		ledger: j, judge: changelog.NewLedgerJudge(j.conn.Keyring(), j.name.stream, head),
		next: judged + 1, last: last,
	}
}

// run returns the records, oldest first. It ends with the first error.
func (r *reading) run(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for m, err := range r.ledger.conn.Messages(ctx, r.ledger.name.stream, r.next, r.last) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			r.offer(m)
			if len(r.offered) < windowMessages && r.bytes < windowBytes {
				continue
			}
			if !r.settle(ctx, r.judge.Head().Sequence, yield) {
				return
			}
		}
		r.missing(r.last + 1)
		if !r.settle(ctx, r.last, yield) {
			return
		}
		if err := r.obstacle(); err != nil {
			yield(Record{}, fmt.Errorf("read ledger: %w: %s: %w: %s", ErrDamaged, r.ledger.name.stream, err, r.ledger.name.remedy()))
		}
	}
}

// missing notes that there is no message up to another.
func (r *reading) missing(sequence uint64) {
	if sequence > r.next {
		r.holes = append(r.holes, changelog.Interval{First: r.next, Last: sequence - 1})
	}
	r.next = max(r.next, sequence)
}

func (r *reading) offer(m jetstream.Message) {
	r.missing(m.Sequence)
	r.next, r.found = m.Sequence+1, true
	r.offered = append(r.offered, m.Sequence)
	r.bytes += len(m.Data)
	if m.Subject == r.ledger.name.subject {
		r.judge.Offer(changelog.LedgerMessage{Sequence: m.Sequence, Proof: m.Proof, Data: m.Data})
	}
}

// settle yields what is proved, and reports whether to go on. Unless there is an
// obstacle, everything up to last is judged then.
func (r *reading) settle(ctx context.Context, last uint64, yield func(Record, error) bool) bool {
	records := r.judge.Settle()
	if err := r.takeRepair(ctx, records); err != nil {
		yield(Record{}, err)
		return false
	}
	judged := r.judge.Head().Sequence
	if last == r.last && r.obstacle() == nil {
		judged = last
	}
	r.ledger.learn(records, r.offered, judged, r.judge.NotedKeys())
	r.offered = slices.DeleteFunc(r.offered, func(sequence uint64) bool { return sequence <= judged })
	r.bytes = 0
	for _, record := range records {
		found, err := recordOf(record), error(nil)
		if record.Body == nil { // it was too much to hold
			found, err = r.ledger.Record(ctx, record.Sequence)
		}
		if !yield(found, err) || err != nil {
			return false
		}
	}
	return true
}

// tornPlaces is how many messages a journal may lack in which none was ever found:
// each try to write the first one on a full disk may take a place. Where more is
// missing, records were lost.
const tornPlaces = 16

// obstacle returns what keeps the journal from going on when everything was
// settled. A place without a message is none when the record after it continues
// the one before, nor where the first record was torn by a full disk.
func (r *reading) obstacle() error {
	if err := r.judge.Obstacle(); err != nil || len(r.holes) == 0 || r.isTorn() {
		return err
	}
	if hole := r.holes[len(r.holes)-1]; hole.Last > r.judge.Head().Sequence {
		return fmt.Errorf("there is no message at %d: %w", max(hole.First, r.judge.Head().Sequence+1), changelog.ErrGap)
	}
	return nil
}

// isTorn reports whether nothing was ever found in the journal, and it lacks so few
// messages that a full disk may have torn its first one, which was then never
// acknowledged. What is known of a record from elsewhere still stops the journal: see
// [Ledger.Expect].
func (r *reading) isTorn() bool {
	missing := uint64(0)
	for _, hole := range r.holes {
		missing += hole.Last - hole.First + 1
	}
	return !r.found && r.judge.Head().IsZero() && r.ledger.Foreign().Messages == 0 && missing <= tornPlaces
}
