package flagsync_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/sync/changelog"
)

func TestHistoryAndRead(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for i := range 5 {
		l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, i)), put("b", "{}"))
	}
	l.write(t, remove("a"))

	var bodies []string
	for r, err := range l.History(t.Context(), changelog.ID{Kind: changelog.KindFlag, Key: "a"}) {
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(r.Put))
	}
	want := []string{`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, ""}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	for r, err := range l.History(t.Context(), changelog.ID{Kind: changelog.KindFlag, Key: "nothing"}) {
		t.Errorf("history of nothing: %+v, %v", r, err)
	}

	var chain changelog.Chain
	for r, err := range l.Read(t.Context(), changelog.Position{}, l.head(t).Revision) {
		if err != nil {
			t.Fatal(err)
		}
		if err := chain.Extend(r); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(l.head(t), chain.Head()); diff != "" {
		t.Errorf("read up to (-want +got):\n%s", diff)
	}

	var failure error
	for _, err := range l.Read(t.Context(), changelog.Position{}, l.head(t).Revision+1) {
		failure = err
	}
	if failure == nil {
		t.Error("reading beyond the head is no error")
	}
}
