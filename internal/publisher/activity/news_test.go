package activity

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// history is a log and a ledger in memory.
type history struct {
	records []changelog.Record
	events  []control.RecordedEvent
}

func (h *history) Backwards(_ context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		for _, r := range slices.Backward(h.records) {
			if r.Revision < before && !yield(r, nil) {
				return
			}
		}
	}
}

func (h *history) History(context.Context, document.ID) iter.Seq2[changelog.Record, error] {
	return nil
}

func (h *history) Events(_ context.Context, from uint64) iter.Seq2[control.RecordedEvent, error] {
	return func(yield func(control.RecordedEvent, error) bool) {
		for _, e := range h.events {
			if e.Sequence >= from && !yield(e, nil) {
				return
			}
		}
	}
}

func (h *history) RequestDocuments(string) []document.ID { return nil }

func (h *history) RequestBreaksGlass(id string) bool { return id == "glass" }

// end returns the newest place.
func (h *history) end() (p Place) {
	if n := len(h.records); n > 0 {
		p.Log = h.records[n-1].Position()
	}
	if n := len(h.events); n > 0 {
		p.Sequence = h.events[n-1].Sequence
	}
	return p
}

// change appends a transaction of an epoch.
func (h *history) change(epoch changelog.Epoch, count int, at time.Time, kind document.Kind) {
	revision := uint64(1)
	if n := len(h.records); n > 0 {
		revision = h.records[n-1].Revision + 1
	}
	for i := range count {
		e := changelog.Entry{
			Revision: revision + uint64(i), Epoch: epoch, OpID: fmt.Sprint(epoch, revision), Kind: kind, Key: fmt.Sprint(i), Index: i + 1, Count: count, Time: at,
		}
		if revision%7 == 0 {
			e.Request = "glass"
		}
		h.records = append(h.records, changelog.Record{Entry: e})
	}
}

func (h *history) event(at time.Time) {
	e := control.RecordedEvent{Sequence: uint64(2*len(h.events) + 1)}
	e.Type, e.At = "request.commented", at
	h.events = append(h.events, e)
}

// name says which item it is.
func name(i Item) string {
	if i.Event != nil {
		return fmt.Sprint("event ", i.Event.Sequence)
	}
	return fmt.Sprint("change ", i.Change.Position().Token(), i.BreaksGlass)
}

// follow takes everything new from a place on, in parts, and returns where it ended.
func follow(t *testing.T, h *history, p Place, most int) (told []string, after Place) {
	t.Helper()
	for range 10_000 {
		items, whole, err := news(t.Context(), h, p, h.end(), most)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			told, p = append(told, name(i)), p.Behind(i)
		}
		if whole {
			return told, p
		}
		if len(items) == 0 {
			t.Fatal("a part has nothing")
		}
	}
	t.Fatal("it does not end")
	return nil, p
}

// all returns everything that is to be told, in the order of each source.
func (h *history) all() (changes, events []string) {
	for i, r := range h.records {
		if r.Kind != document.KindEpoch && (i == len(h.records)-1 || h.records[i+1].OpID != r.OpID) {
			changes = append(changes, fmt.Sprint("change ", r.Position().Token(), r.Request != ""))
		}
	}
	for _, e := range h.events {
		events = append(events, fmt.Sprint("event ", e.Sequence))
	}
	return changes, events
}

// Whatever the size of the parts, and whenever it is looked, everything is told once, in the order of log and ledger.
func TestNewsTellEverythingOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		h, epoch, now := &history{}, changelog.NewEpoch(time.Unix(1, 0), ""), time.Unix(1000, 0)
		var told []string
		var at Place
		for range r.IntN(80) {
			now = now.Add(time.Duration(r.IntN(5)-1) * time.Second) // clocks are not all right
			switch r.IntN(12) {
			case 0, 1, 2, 3, 4:
				h.event(now)
			case 5:
				epoch = changelog.NewEpoch(now, epoch)
				h.change(epoch, 2, now, document.KindEpoch)
			case 6:
				var more []string
				more, at = follow(t, h, at, 1+r.IntN(6))
				told = append(told, more...)
			default:
				h.change(epoch, 1+r.IntN(3), now, document.KindFlag)
			}
		}
		more, _ := follow(t, h, at, 1+r.IntN(6))
		told = append(told, more...)
		changes, events := h.all()
		isEvent := func(s string) bool { return s[0] == 'e' }
		gotEvents := slices.DeleteFunc(slices.Clone(told), func(s string) bool { return !isEvent(s) })
		gotChanges := slices.DeleteFunc(slices.Clone(told), isEvent)
		if !slices.Equal(gotChanges, changes) || !slices.Equal(gotEvents, events) {
			t.Fatalf("seed %d: told %v\nwant %v\nand  %v", seed, told, changes, events)
		}
	}
}

// A log that was put back from an older copy and goes on as a new epoch has revisions again that were told before, with something else.
func TestNewsOfALogThatBeginsAgain(t *testing.T) {
	t.Parallel()
	old := changelog.NewEpoch(time.Unix(1, 0), "")
	later := changelog.NewEpoch(time.Unix(2, 0), old)
	for _, kept := range []int{0, 3} { // a new stream, and one of which the end is missing
		h := &history{}
		for range 10 {
			h.change(old, 1, time.Unix(10, 0), document.KindFlag)
		}
		_, at := follow(t, h, Place{}, 100)
		h.records = h.records[:kept]
		h.change(later, 1, time.Unix(20, 0), document.KindEpoch)
		h.change(later, 1, time.Unix(21, 0), document.KindFlag)
		want := fmt.Sprintf("change %s-%d", later.Short(), kept+2)
		told, at := follow(t, h, at, 100)
		if len(told) != 1 || told[0][:len(want)] != want {
			t.Errorf("kept %d: %v, want %s", kept, told, want)
		}
		h.change(later, 1, time.Unix(22, 0), document.KindFlag)
		if told, _ := follow(t, h, at, 100); len(told) != 1 {
			t.Errorf("kept %d: then %v", kept, told)
		}
	}
}

// While nothing is left out, news are the list of the activity turned round.
func TestNewsAreTheListTurnedRound(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 4))
		h, now := &history{}, time.Unix(1000, 0)
		for range 30 {
			now = now.Add(time.Duration(r.IntN(2)) * time.Second)
			if r.IntN(2) == 0 {
				h.event(now)
			} else {
				h.change("", 1+r.IntN(3), now, document.KindFlag)
			}
		}
		page, err := List(t.Context(), everything{h}, Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, i := range slices.Backward(page.Items) {
			want = append(want, name(i))
		}
		if got, _ := follow(t, h, Place{}, 1000); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v\nwant %v", seed, got, want)
		}
	}
}

// What has just happened is left for later, with what follows it, unless its clock is ahead.
func TestNewsSettle(t *testing.T) {
	t.Parallel()
	h, now := &history{}, time.Now()
	h.change("", 1, now.Add(-time.Hour), document.KindFlag)
	h.event(now.Add(-time.Second))
	h.change("", 1, now.Add(time.Hour), document.KindFlag)
	for settle, want := range map[time.Duration]int{0: 3, time.Minute: 1} {
		items, whole, err := News(t.Context(), h, Place{}, h.end(), time.Now().Add(-settle))
		if err != nil || len(items) != want || whole != (want == 3) {
			t.Errorf("%s: %d items, %t, %v", settle, len(items), whole, err)
		}
	}
}

// everything reads the log from its end when no revision is given.
type everything struct{ *history }

func (e everything) Backwards(ctx context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	return e.history.Backwards(ctx, cmp.Or(before, 1<<60))
}
