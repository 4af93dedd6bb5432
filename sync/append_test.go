package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

func TestAppendCommits(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for _, n := range []int{1, 2, 3, 1000} {
		base := l.head(t)
		documents := make([]document.Document, n)
		for i := range documents {
			documents[i] = put(fmt.Sprintf("flag-%d", i), fmt.Sprintf(`{"n":%d}`, n))
		}
		c := change(fmt.Sprintf("op-%d", n), documents...)
		c.Approvers, c.Request = []string{"second"}, "request-1"
		outcome, err := l.append(t, t.Context(), base, c)
		if err != nil || outcome.State != writer.Committed {
			t.Fatalf("%d entries: %s, %v", n, outcome.State, err)
		}
		if outcome.Position != l.head(t) || outcome.Position.Revision != base.Revision+uint64(n) {
			t.Errorf("%d entries after %d: position %+v, head %+v", n, base.Revision, outcome.Position, l.head(t))
		}
		var stored changelog.Transaction
		for r, err := range l.Read(t.Context(), base, outcome.Position.Revision) {
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, r)
		}
		if diff := cmp.Diff(stored, outcome.Records); diff != "" {
			t.Errorf("%d entries: what stands in the log and what was returned differ:\n%s", n, diff)
		}
		if first := stored[0]; first.Reason != "a test" || first.Actor != "tester" || first.Request != "request-1" || first.Count != n {
			t.Errorf("stored %+v", first.Entry)
		}
	}
}

// TestAppendLargeBatch sends more than the server takes without being waited
// for.
func TestAppendLargeBatch(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	body := `"` + strings.Repeat("x", document.MaxSize-2) + `"`
	documents := make([]document.Document, 12)
	for i := range documents {
		documents[i] = put(fmt.Sprintf("flag-%d", i), body)
	}
	head := l.write(t, documents...)
	if head.Revision != 14 {
		t.Errorf("head %d, want 14", head.Revision)
	}
	r := startFollowing(t, l.conn)
	r.reach(t, 14)
	if r.target.count() != 12 {
		t.Errorf("%d documents, want 12", r.target.count())
	}
}

func TestAppendToAnotherHistoryIsRefused(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	base := l.head(t)
	many := make([]document.Document, changelog.MaxEntries+1)
	for i := range many {
		many[i] = put(fmt.Sprintf("flag-%d", i), "{}")
	}
	long := change("op", put("a", "{}"))
	long.Reason = strings.Repeat("x", changelog.MaxReason+1)
	other := base
	other.Digest[0]++
	ahead := base
	ahead.Revision = 9
	for name, tc := range map[string]struct {
		base   changelog.Position
		change writer.Change
		want   string
	}{
		"no entries":         {base, change("op"), "1 to 1000"},
		"too many entries":   {base, change("op", many...), "1 to 1000"},
		"a large document":   {base, change("op", put("a", `"`+strings.Repeat("x", document.MaxSize)+`"`)), "bytes"},
		"a long reason":      {base, long, "reason"},
		"no op-id":           {base, change("", put("a", "{}")), "op-id"},
		"no base":            {changelog.Position{}, change("op", put("a", "{}")), "no position"},
		"another history":    {other, change("op", put("a", "{}")), "different history"},
		"a base of nowhere":  {ahead, change("op", put("a", "{}")), "different history"},
		"a document no JSON": {base, change("op", put("a", "{")), "flag/a"},
	} {
		t.Run(name, func(t *testing.T) {
			outcome, err := freshLog(t, l).Append(t.Context(), elsewhere{l.basis(t, base), tc.base}, tc.change)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s, %v, want an error that mentions %q", outcome.State, err, tc.want)
			}
		})
	}
	if head := l.head(t); head != base {
		t.Errorf("head %+v, want nothing written after %+v", head, base)
	}
}

// freshLog opens the log as another publisher, which has not seen its head.
func freshLog(tb testing.TB, l *log) *writer.Log {
	tb.Helper()
	other, err := writer.OpenLog(tb.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 1})
	if err != nil {
		tb.Fatal(err)
	}
	return other
}

// TestAppendIsLostToAnother appends at a base that another writer has moved on from.
func TestAppendIsLostToAnother(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	base := l.head(t)
	winner := l.write(t, put("a", `{"by":"winner"}`))
	for name, documents := range map[string][]document.Document{
		"one entry":       {put("a", `{"by":"loser"}`)},
		"several entries": {put("a", `{"by":"loser"}`), put("b", "{}")},
	} {
		outcome, err := l.append(t, t.Context(), base, change("loser "+name, documents...))
		if err != nil || outcome.State != writer.Lost {
			t.Errorf("%s: %s, %v, want lost", name, outcome.State, err)
		}
		if outcome.Position != winner {
			t.Errorf("%s: lost to %+v, want %+v", name, outcome.Position, winner)
		}
	}
	if head := l.head(t); head != winner {
		t.Errorf("head %+v, want the winner's %+v", head, winner)
	}
}

// TestAppendAgainIsOneAppend sends the same bytes again, as after an acknowledgement that
// was lost: the change is committed once and both calls say so.
func TestAppendAgainIsOneAppend(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for name, documents := range map[string][]document.Document{
		"one entry":       {put("a", "{}")},
		"several entries": {put("a", "{}"), put("b", "{}"), put("c", "{}")},
	} {
		base := l.head(t)
		c := change("again "+name, documents...)
		first, err := l.append(t, t.Context(), base, c)
		if err != nil || first.State != writer.Committed {
			t.Fatalf("%s: %s, %v", name, first.State, err)
		}
		second, err := l.append(t, t.Context(), base, c)
		if err != nil {
			t.Fatalf("%s again: %v", name, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s: the second outcome differs (-first +second):\n%s", name, diff)
		}
		c.Time = c.Time.Add(time.Hour) // other bytes, the same change
		third, err := l.append(t, t.Context(), base, c)
		if err != nil {
			t.Fatalf("%s a third time: %v", name, err)
		}
		if diff := cmp.Diff(first, third); diff != "" {
			t.Errorf("%s: the third outcome differs (-first +third):\n%s", name, diff)
		}
		if head := l.head(t); head != first.Position {
			t.Errorf("%s: head %+v, want it written once, to %+v", name, head, first.Position)
		}
	}
}

// TestAppendRace lets publishers append at once: each revision goes to one of
// them, no change that was told "committed" is missing, none that was told "lost"
// is there.
func TestAppendRace(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	var mu sync.Mutex
	committed := make(map[string]bool)
	var wg sync.WaitGroup
	for w := range 4 {
		own := freshLog(t, l)
		wg.Go(func() {
			var known bases
			for i := range 15 {
				op := fmt.Sprintf("op-%d-%d", w, i)
				head, err := own.Head(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				outcome, err := known.append(t.Context(), own, head, change(op, put("a", "{}"), put(op, "{}")))
				if err != nil || outcome.State == writer.Open {
					t.Errorf("%s: %s, %v", op, outcome.State, err)
					return
				}
				mu.Lock()
				committed[op] = outcome.State == writer.Committed
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	found := make(map[string]bool)
	var chain changelog.Chain
	for r, err := range l.Read(t.Context(), changelog.Position{}, l.head(t).Revision) {
		if err != nil {
			t.Fatal(err)
		}
		if err := chain.Extend(r); err != nil {
			t.Fatal(err)
		}
		found[r.OpID] = true
	}
	for op, want := range committed {
		if found[op] != want {
			t.Errorf("%s: in the log %t, outcome said %t", op, found[op], want)
		}
	}
	if chain.Head().Revision < 3 {
		t.Errorf("nothing was written: head %+v", chain.Head())
	}
}

// TestAppendWithoutAServer tells what was not sent from what is open.
func TestAppendWithoutAServer(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	base := l.head(t)
	l.basis(t, base)
	l.server.Stop(t)
	eventually(t, func() (bool, string) { return !l.conn.Connected(), "the connection to end" })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if outcome, err := l.append(t, ctx, base, change("op", put("a", "{}"))); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("%s, %v, want ErrUnreachable", outcome.State, err)
	}

	l.server.Restart(t)
	outcome, err := l.append(t, t.Context(), base, change("op", put("a", "{}")))
	if err != nil || outcome.State != writer.Committed {
		t.Errorf("after the restart: %s, %v, want committed", outcome.State, err)
	}
}

// TestAppendThatIsOpenIsNeverFailed takes the stream away after the head was seen: what was
// sent may have been kept for all the publisher can know.
func TestAppendThatIsOpenIsNeverFailed(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	base := l.head(t)
	l.basis(t, base)
	if answer := api(t, l.server.Client(t), "STREAM.DELETE.FLAGS_prod", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	outcome, err := l.append(t, ctx, base, change("op", put("a", "{}")))
	if err != nil || outcome.State != writer.Open || outcome.Position != base {
		t.Errorf("%s at %+v, %v, want open at the base", outcome.State, outcome.Position, err)
	}
}
