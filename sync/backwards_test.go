package flagsync_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// The entries come from any place on, newest first, past noise and over several reads, without their documents.
func TestBackwards(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for i := range 3 {
		var documents []document.Document
		for k := range 100 {
			documents = append(documents, put(fmt.Sprint("f-", k), fmt.Sprintf(`{"n":%d}`, i)))
		}
		l.write(t, documents...)
		noise := nats.NewMsg("flags.prod.noise")
		noise.Data = []byte("noise")
		store(t, l.server.Client(t), noise)
	}
	head := l.write(t, remove("f-1"))
	var forwards []uint64
	for r, err := range l.Read(t.Context(), changelog.Position{}, head.Revision) {
		if err != nil {
			t.Fatal(err)
		}
		forwards = append(forwards, r.Revision)
	}
	if forwards[len(forwards)-1] <= 256 {
		t.Fatalf("%d entries are no more than one read", len(forwards))
	}
	for _, before := range []uint64{0, head.Revision + 1, head.Revision, 257, 100, 1} {
		want := slices.DeleteFunc(slices.Clone(forwards), func(revision uint64) bool { return before > 0 && revision >= before })
		slices.Reverse(want)
		got := []uint64{}
		for r, err := range l.Backwards(t.Context(), before) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Put != nil || r.Delete != (r.Revision == head.Revision) {
				t.Errorf("revision %d has %q, deleted %t", r.Revision, r.Put, r.Delete)
			}
			got = append(got, r.Revision)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("before %d (-want +got):\n%s", before, diff)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for r, err := range l.Backwards(ended, 0) {
		if err == nil {
			t.Errorf("%+v after its context ended", r.Position())
		}
	}
}
