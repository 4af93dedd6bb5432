package changelog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// An epoch entry says how many entries make the state whole that it renews, and
// which position it leaves; no other entry can, and none that renews nothing.
func TestComplete(t *testing.T) {
	t.Parallel()
	leaves := Position{Epoch: epochA, Revision: 6, Digest: Sum([]byte("old"))}
	begin := Entry{
		Environment: prod, Epoch: epochB, Revision: 7, OpID: "op", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1,
		Actor: "a", Time: time.Unix(1, 0).UTC(), State: Sum(nil), Prev: leaves.Link(), Complete: 1 << 40, Leaves: leaves,
	}
	data, err := begin.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeRecord(7, data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(begin, r.Entry); diff != "" || !r.ReplacesEpoch() {
		t.Errorf("renews %v, (-want +got):\n%s", r.ReplacesEpoch(), diff)
	}
	first := begin
	first.Complete, first.Leaves, first.Prev = 0, Position{}, Link{}
	if data, err = first.Encode(); err != nil {
		t.Fatal(err)
	}
	if r, err := DecodeRecord(7, data); err != nil || r.ReplacesEpoch() {
		t.Errorf("the first entry of a log: renews %v, %v", r.ReplacesEpoch(), err)
	}
	f := func(name string, change func(*Entry)) {
		t.Helper()
		e := begin
		change(&e)
		if _, err := e.Encode(); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
	f("an epoch entry that leaves something and renews nothing", func(e *Entry) { e.Complete = 0 })
	f("a flag that renews", func(e *Entry) { e.Kind, e.Key, e.Put, e.Leaves = document.KindFlag, "f", []byte("{}"), Position{} })
	f("a flag that leaves", func(e *Entry) { e.Kind, e.Key, e.Put, e.Complete = document.KindFlag, "f", []byte("{}"), 0 })
	f("an epoch entry with a document", func(e *Entry) { e.Put = []byte("{}") })
	f("an epoch entry that deletes", func(e *Entry) { e.Delete = true })
}
