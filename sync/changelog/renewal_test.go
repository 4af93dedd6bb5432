package changelog

import (
	"testing"
	"time"
)

// An epoch entry says where the state that it begins is complete; no other entry can, and not before itself.
func TestComplete(t *testing.T) {
	t.Parallel()
	begin := Entry{
		Epoch: NewEpoch(), OpID: "op", Kind: KindEpoch, Key: EpochKey, Index: 1, Count: 1, Actor: "a", Time: time.Unix(1, 0), Complete: 7,
	}
	data, err := begin.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for revision, good := range map[uint64]bool{1: true, 7: true, 8: false} {
		r, err := DecodeRecord(revision, data)
		if (err == nil) != good {
			t.Errorf("at revision %d: %v, want it accepted: %v", revision, err, good)
		}
		if good && (r.Complete != 7 || !r.Renews()) {
			t.Errorf("at revision %d: complete at %d, renews %v", revision, r.Complete, r.Renews())
		}
	}
	begin.Complete = 0
	if data, err = begin.Encode(); err != nil {
		t.Fatal(err)
	}
	if r, err := DecodeRecord(1, data); err != nil || r.Renews() {
		t.Errorf("an epoch entry that continues the state: %+v, %v", r, err)
	}
	flag := begin
	flag.Kind, flag.Key, flag.Put, flag.Complete = KindFlag, "f", []byte("{}"), 7
	if _, err := flag.Encode(); err == nil {
		t.Error("a flag says where a state is complete")
	}
}
