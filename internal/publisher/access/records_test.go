package access

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// slowLedger has records, and pauses before those that a reader is slow with.
type slowLedger struct {
	records []writer.Record
	pause   func(from, sequence uint64) time.Duration
}

func (j *slowLedger) Read(_ context.Context, from uint64) iter.Seq2[writer.Record, error] {
	return func(yield func(writer.Record, error) bool) {
		for _, r := range j.records {
			if r.Sequence < from {
				continue
			}
			time.Sleep(j.pause(from, r.Sequence))
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (j *slowLedger) Append(context.Context, uint64, string, []byte) (uint64, error) { return 0, nil }

func (j *slowLedger) Follow(context.Context, uint64, func(writer.Record) error) error { return nil }

// Behind a repair the journal is read again from its beginning. One reader that does so, while another takes the repair for a new record, must not
// lose what stands before it: it may be a token, or that one was revoked.
func TestReadersMeetARepairTogether(t *testing.T) {
	t.Parallel()
	body, err := changelog.LedgerRepair{Time: time.Now(), Actor: "operator", Reason: "it was cut"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	repair := writer.Record{Sequence: 5, Body: body}
	if !repair.Repairs() {
		t.Fatal("it is no repair")
	}
	var met, again atomic.Int64 // readers on their way to the repair, and from the beginning
	journal := &slowLedger{pause: func(from, sequence uint64) time.Duration {
		switch {
		case from == 4: // one reader meets the repair later than the other
			return time.Duration(met.Add(1)) * 50 * time.Millisecond
		case sequence == 1 && again.Add(1) > 1, sequence == 3 && again.Load() == 1:
			return 100 * time.Millisecond // so that the first is in the midst of it when the second begins
		default:
			return 0
		}
	}}
	for i := range uint64(3) {
		journal.records = append(journal.records, writer.Record{Sequence: i + 1, Body: []byte(`{}`)})
	}
	var known []uint64
	r := &records{about: "the test", forget: func() { known = nil }, take: func(r writer.Record) error {
		known = append(known, r.Sequence)
		return nil
	}}
	if err := r.run(t.Context(), journal); err != nil {
		t.Fatal(err)
	}
	met.Store(0)
	again.Store(0)
	journal.records = append(journal.records, repair)
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			if err := r.catchUp(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	if want := []uint64{1, 2, 3, 5}; !slices.Equal(known, want) {
		t.Errorf("known are %v, want %v", known, want)
	}
}
