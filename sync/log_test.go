package flagsync_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

func TestHistoryAndRead(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for i := range 5 {
		l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, i)), put("b", "{}"))
	}
	l.write(t, remove("a"))

	var bodies []string
	for r, err := range l.History(t.Context(), document.ID{Kind: document.KindFlag, Key: "a"}) {
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(r.Put))
	}
	want := []string{`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, ""}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	for r, err := range l.History(t.Context(), document.ID{Kind: document.KindFlag, Key: "nothing"}) {
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

// TestReadsWhereReplicasAreSilent opens and reads a log of which no replica answers
// but the leader, who is asked for one message at a time.
func TestReadsWhereReplicasAreSilent(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprint(i))
		l.write(t, put("a", want[i]))
	}
	c := l.server.Client(t)
	changed := config(t, c, "FLAGS_prod")
	changed["allow_direct"] = false
	if answer := api(t, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	log := writer.NewLog(connect(t, l.server.URL()), writer.LogOptions{Environment: environment, Replicas: 1})
	if head, err := log.Head(t.Context()); err != nil || head != l.head(t) {
		t.Fatalf("head %v, %v, want %v", head, err, l.head(t))
	}
	var history, read []string
	for r, err := range log.History(t.Context(), document.ID{Kind: document.KindFlag, Key: "a"}) {
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, string(r.Put))
	}
	for r, err := range log.Read(t.Context(), changelog.Position{}, l.head(t).Revision) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == document.KindFlag {
			read = append(read, string(r.Put))
		}
	}
	if diff := cmp.Diff(want, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}
