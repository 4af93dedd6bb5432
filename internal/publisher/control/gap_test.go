package control

import (
	"errors"
	"testing"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// A ledger that was repaired is read on: records of the journal itself count as places only, and events whose beginning is lost change
// nothing. Without a gap, such an event is an error.
func TestLedgerGoesOnAfterARepair(t *testing.T) {
	t.Parallel()
	event := func(e Event) []byte {
		e.At = time.Unix(1, 0)
		body, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	repair, err := changelog.JournalRepair{Actor: "operator"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	orphan := event(Event{Type: EventApproved, Request: "lost", By: "a"})
	at := func(sequence uint64) changelog.Anchor { return changelog.Anchor{Sequence: sequence} }

	l := newLedger(Options{Environment: "prod"})
	if err := l.take(flagsync.Record{Sequence: 1, Body: orphan}); err == nil {
		t.Error("an approval of a request that is not there was taken")
	}
	if err := l.take(flagsync.Record{Sequence: 2, Body: []byte(`{"type":"keys","keys":"x"}`)}); err != nil {
		t.Fatal(err)
	}
	if err := l.take(flagsync.Record{Sequence: 4, Prev: at(3), Body: orphan}); !errors.Is(err, errLedgerRepaired) {
		t.Errorf("a record after one that is missing: %v", err)
	}
	l.forget()
	for _, r := range []flagsync.Record{
		{Sequence: 2, Body: []byte(`{"type":"keys","keys":"x"}`)},
		{Sequence: 4, Prev: at(3), Body: orphan},
		{Sequence: 5, Body: repair},
		{Sequence: 6, Prev: at(5), Body: event(Event{Type: EventRefused, By: "a", Refusal: &RefusedAction{}})},
	} {
		if err := l.take(r); err != nil {
			t.Errorf("record %d: %v", r.Sequence, err)
		}
		if l.sequence() != r.Sequence {
			t.Errorf("the ledger stands at %d, want %d", l.sequence(), r.Sequence)
		}
	}
}
