package control

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// A ledger that was repaired is read on: records of the journal itself count as places only, and events whose beginning is lost change
// nothing. Without a gap, such an event is an error.
func TestLedgerGoesOnAfterARepair(t *testing.T) {
	t.Parallel()
	event := func(e requests.Event) []byte {
		e.At = time.Unix(1, 0)
		body, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	repair, err := changelog.LedgerRepair{Actor: "operator"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	orphan := event(requests.Event{Type: requests.EventApproved, Request: "lost", By: "a"})
	at := func(sequence uint64) changelog.Anchor { return changelog.Anchor{Sequence: sequence} }

	l := newLedger("prod")
	if err := l.take(writer.Record{Sequence: 1, Body: orphan}); err == nil {
		t.Error("an approval of a request that is not there was taken")
	}
	for _, r := range []writer.Record{
		{Sequence: 2, Body: []byte(`{"type":"keys","keys":"x"}`)},
		{Sequence: 4, Prev: at(3), Body: orphan},
		{Sequence: 5, Body: repair},
		{Sequence: 6, Prev: at(5), Body: event(requests.Event{Type: requests.EventRefused, By: "a", Refusal: &requests.RefusedAction{}})},
	} {
		if err := l.take(r); err != nil {
			t.Errorf("record %d: %v", r.Sequence, err)
		}
		if l.sequence() != r.Sequence {
			t.Errorf("the ledger stands at %d, want %d", l.sequence(), r.Sequence)
		}
	}
}

// stored is a journal that has these records.
type stored struct {
	Ledger

	records []writer.Record
}

func (s *stored) Read(_ context.Context, from uint64) iter.Seq2[writer.Record, error] {
	return func(yield func(writer.Record, error) bool) {
		for _, r := range s.records {
			if r.Sequence >= from && !yield(r, nil) {
				return
			}
		}
	}
}

// What a publisher knew of records that are lost counts no more after the repair, because other publishers do not know it.
func TestLedgerForgetsWhatIsLost(t *testing.T) {
	t.Parallel()
	risk := func(tag string) []byte {
		body, err := requests.Event{Type: requests.EventRisk, By: "a", At: time.Unix(1, 0), Risk: &risk.Settings{Tags: []string{tag}}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	repair, err := changelog.LedgerRepair{Actor: "operator"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	first := writer.Record{Sequence: 1, Body: risk("first")}
	second := writer.Record{Sequence: 2, Prev: changelog.Anchor{Sequence: 1}, Body: risk("second")}
	journal := &stored{records: []writer.Record{first, second}}
	l := newLedger("prod")
	tag := func() string {
		t.Helper()
		if err := l.catchUp(t.Context(), journal); err != nil {
			t.Fatal(err)
		}
		return l.governance.Risk().Tags[0]
	}
	if got := tag(); got != "second" {
		t.Errorf("before: %s", got)
	}
	journal.records = []writer.Record{first, {Sequence: 2, Body: repair}, {Sequence: 3, Body: repair}}
	if got := tag(); got != "first" || l.sequence() != 3 {
		t.Errorf("after the repair: %s at %d, want first at 3", got, l.sequence())
	}
}
