package activity_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// world is a log and a ledger in memory.
type world struct {
	records []changelog.Record
	events  []control.RecordedEvent
}

func (w *world) Backwards(_ context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		for _, r := range slices.Backward(w.records) {
			if (before == 0 || r.Revision < before) && !yield(r, nil) {
				return
			}
		}
	}
}

func (w *world) History(_ context.Context, id document.ID) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		for _, r := range w.records {
			if r.ID() == id && !yield(r, nil) {
				return
			}
		}
	}
}

func (w *world) Events(_ context.Context, from uint64) iter.Seq2[control.RecordedEvent, error] {
	return func(yield func(control.RecordedEvent, error) bool) {
		for _, e := range w.events {
			if e.Sequence >= from && !yield(e, nil) {
				return
			}
		}
	}
}

func (w *world) RequestDocuments(id string) (ids []document.ID) {
	for _, e := range w.events {
		if e.Request == id && e.Proposal != nil {
			ids = []document.ID{{Kind: document.KindFlag, Key: e.Proposal.Changes[0].Key}}
		}
	}
	return ids
}

func (w *world) RequestBreaksGlass(id string) bool { return id == glass }

// glass is the change request that goes without approvals.
const glass = "request-0"

// newWorld returns one in which an hour passes from one thing to the next.
func newWorld(r *rand.Rand) *world {
	w := &world{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	actors := []string{"a", "b"}
	for range r.IntN(60) {
		now = now.Add(time.Hour)
		actor := actors[r.IntN(2)]
		if r.IntN(2) == 0 {
			w.change(r, now, actor)
			continue
		}
		e := control.RecordedEvent{Sequence: uint64(len(w.events)*2 + 1)}
		e.Type, e.By, e.At, e.Request = requests.EventCommented, actor, now, fmt.Sprint("request-", r.IntN(4))
		if r.IntN(2) == 0 {
			e.Type = requests.EventOpened
			e.Proposal = &requests.Proposal{Changes: []requests.DocumentChange{{Kind: document.KindFlag, Key: fmt.Sprint("f-", r.IntN(3)), Body: []byte("{}")}}}
		}
		w.events = append(w.events, e)
	}
	return w
}

// change adds a transaction, and leaves out a revision now and then, which is noise.
func (w *world) change(r *rand.Rand, at time.Time, actor string) {
	count := 1 + r.IntN(3)
	revision := uint64(r.IntN(2))
	if n := len(w.records); n > 0 {
		revision += w.records[n-1].Revision
	}
	for i := range count {
		w.records = append(w.records, changelog.Record{Entry: changelog.Entry{
			Revision: revision + uint64(i) + 1, OpID: fmt.Sprint("op-", revision), Kind: document.KindFlag, Key: fmt.Sprint("f-", i), Index: i + 1, Count: count,
			Actor: actor, Time: at, Put: []byte("{}"),
		}})
	}
}

// told says what an item is.
func told(i activity.Item) string {
	if i.Event != nil {
		return fmt.Sprintf("event %d %v", i.Event.Sequence, i.Documents)
	}
	return fmt.Sprintf("change %d to %d %v", i.Change[0].Revision, i.Change.Position().Revision, i.Documents)
}

// all goes through the pages of a query.
func all(t *testing.T, w *world, q activity.Query) (list []string, times []time.Time) {
	t.Helper()
	for {
		page, err := activity.List(t.Context(), w, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > q.Limit {
			t.Fatalf("a page of %d items, %d were asked for", len(page.Items), q.Limit)
		}
		for _, i := range page.Items {
			if i.Event != nil && i.Event.Proposal != nil && i.Event.Proposal.Changes[0].Body != nil {
				t.Fatalf("%s has its documents", told(i))
			}
			list, times = append(list, told(i)), append(times, i.Time())
		}
		if page.Next.IsZero() {
			return list, times
		}
		q.Before = page.Next
	}
}

// Whatever the size of its pages, the list is the same, in the order of time, and has everything that is asked for.
func TestPagesAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(r)
		q := activity.Query{Limit: 1000}
		if r.IntN(3) == 0 {
			q.Actor = "a"
		}
		if r.IntN(3) == 0 {
			q.Since = time.Date(2026, 1, 1, r.IntN(40), 30, 0, 0, time.UTC)
		}
		if r.IntN(3) == 0 {
			q.About = document.ID{Kind: document.KindFlag, Key: "f-0"}
		}
		whole, times := all(t, w, q)
		if !slices.IsSortedFunc(times, func(a, b time.Time) int { return b.Compare(a) }) {
			t.Fatalf("seed %d: not the newest first: %v", seed, times)
		}
		if want := w.count(q); len(whole) != want {
			t.Fatalf("seed %d: %d items, want %d: %v", seed, len(whole), want, whole)
		}
		q.Limit = 1 + r.IntN(5)
		if paged, _ := all(t, w, q); !cmp.Equal(whole, paged) {
			t.Fatalf("seed %d: in pages of %d (-whole +pages):\n%s", seed, q.Limit, cmp.Diff(whole, paged))
		}
	}
}

// count returns how many items a query has.
func (w *world) count(q activity.Query) (n int) {
	asked := func(by string, at time.Time, about bool) bool {
		return (q.Actor == "" || q.Actor == by) && !at.Before(q.Since) && (q.About == document.ID{} || about)
	}
	for _, r := range w.records {
		if q.About == (document.ID{}) && r.Index > 1 {
			continue
		}
		if asked(r.Actor, r.Time, r.ID() == q.About) {
			n++
		}
	}
	for _, e := range w.events {
		if asked(e.By, e.At, slices.Contains(w.RequestDocuments(e.Request), q.About)) {
			n++
		}
	}
	return n
}

// Who asks for what is behind the newest place of an answer gets what came after it, and nothing twice.
func TestGoingOnBehindTheNewest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(r)
		before, err := activity.List(t.Context(), w, activity.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		old, _ := all(t, w, activity.Query{Limit: 1000})
		w.change(r, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), "a")
		now, _ := all(t, w, activity.Query{Limit: 1000})
		news, _ := all(t, w, activity.Query{Limit: 1000, After: before.Newest})
		if want := now[:len(now)-len(old)]; !cmp.Equal(want, news) {
			t.Fatalf("seed %d: %v, want %v", seed, news, want)
		}
	}
}

// A long log is not read at once: a page may have nothing, and says where to go on.
func TestALongLogIsReadInParts(t *testing.T) {
	t.Parallel()
	const length = 50_000
	w := &world{events: []control.RecordedEvent{{Sequence: 1}}}
	w.events[0].At, w.events[0].By = time.Unix(10, 0), "rare"
	for i := range length {
		actor := "usual"
		if i == 5 {
			actor = "rare"
		}
		w.records = append(w.records, changelog.Record{Entry: changelog.Entry{
			Revision: uint64(i + 1), OpID: fmt.Sprint("op-", i), Kind: document.KindFlag, Key: "f", Index: 1, Count: 1, Actor: actor, Time: time.Unix(int64(i), 0),
		}})
	}
	q := activity.Query{Actor: "rare", Limit: 10}
	first, err := activity.List(t.Context(), w, q)
	if err != nil || len(first.Items) != 0 || first.Next.Revision == 0 {
		t.Errorf("%d items, then %v: %v", len(first.Items), first.Next, err)
	}
	if found, _ := all(t, w, q); len(found) != 2 || found[0] != "event 1 []" {
		t.Errorf("%v, want the event and the older change", found)
	}
}

func TestParseCursor(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "0-1", "12-0", "18446744073709551615-1"} {
		c, err := activity.ParseCursor(text)
		if err != nil || text != "" && c.String() != text {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
	for _, text := range []string{"1", "-", "1-", "-1", "a-1", "1-2-3", "01-2", "+1-2", "18446744073709551616-1"} {
		if c, err := activity.ParseCursor(text); err == nil {
			t.Errorf("%q: %v", text, c)
		}
	}
}
