package changes_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/historytest"
)

func never(*eval.Flag) bool { return false }

// run runs the feed of a history and waits until it has seen what there is.
func run(t *testing.T, h *historytest.History, stale func(*eval.Flag) bool) *changes.Feed {
	t.Helper()
	feed := changes.New(h.Store, stale)
	go func() { _ = feed.Run(t.Context()) }()
	synctest.Wait()
	return feed
}

// told returns the keys of the pending change, nil if there is none.
func told(t *testing.T, s *changes.Subscription) []string {
	t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	change, err := s.Next(ctx)
	if err != nil {
		return nil
	}
	return change.Keys
}

func TestExactlyTheFlagsThatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := historytest.New(t)
		segment := func(role string) document.Document {
			return document.Document{Kind: document.KindSegment, Key: "staff", Body: fmt.Appendf(nil, `{"==":[{"var":"role"},%q]}`, role)}
		}
		h.Commit(segment("staff"), historytest.Flag("plain", 1), historytest.Flag("segmented", 1, `"targeting":{"if":[{"$ref":"staff"},"b",null]}`),
			historytest.Flag("dependent", 1, `"prerequisites":[{"flag":"segmented","variants":["b"]}]`))
		s, view := run(t, h, never).Subscribe()
		defer s.Close()
		if view != h.Store.View() {
			t.Error("the subscription does not begin at the current view")
		}
		for _, step := range []struct {
			name      string
			documents []document.Document
			want      []string
		}{
			{"one flag", []document.Document{historytest.Flag("plain", 2)}, []string{"plain"}},
			{"a new flag", []document.Document{historytest.Flag("new", 2)}, []string{"new"}},
			{"a flag less", []document.Document{historytest.Deleted("new")}, []string{"new"}},
			{"a segment and all that depends on it", []document.Document{segment("other")}, []string{"dependent", "segmented"}},
			{"a prerequisite", []document.Document{historytest.Flag("segmented", 2)}, []string{"dependent", "segmented"}},
			{"two flags at once", []document.Document{historytest.Flag("plain", 3), historytest.Flag("dependent", 2)}, []string{"dependent", "plain"}},
			{"a segment that no flag uses", []document.Document{{Kind: document.KindSegment, Key: "x", Body: []byte(`{"!":[true]}`)}}, nil},
		} {
			h.Commit(step.documents...)
			if diff := cmp.Diff(step.want, told(t, s)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
	})
}

func TestTheFirstViewIsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := historytest.Open(t)
		s, view := run(t, h, never).Subscribe()
		defer s.Close()
		if view != nil {
			t.Fatal("there is a view")
		}
		h.Begin()
		if keys := told(t, s); keys != nil {
			t.Errorf("a change before the first view: %v", keys)
		}
		h.Store.Synced()
		change, err := s.Next(t.Context())
		if err != nil || change.Before != nil || change.View != h.Store.View() || len(change.Keys) != 0 {
			t.Errorf("the first change is %+v, %v", change, err)
		}
	})
}

func TestWhatASlowSubscriberMissesIsOneChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := historytest.New(t)
		h.Commit(historytest.Flag("a", 1), historytest.Flag("gone", 1))
		feed := run(t, h, never)
		slow, before := feed.Subscribe()
		defer slow.Close()
		fast, _ := feed.Subscribe()
		defer fast.Close()
		for i, step := range [][]document.Document{{historytest.Flag("a", 2)}, {historytest.Flag("b", 1)}, {historytest.Deleted("gone")}, {historytest.Flag("a", 3)}} {
			h.Commit(step...)
			if keys := told(t, fast); len(keys) != 1 || keys[0] != step[0].Key {
				t.Errorf("step %d: %v", i, keys)
			}
		}
		change, err := slow.Next(t.Context())
		if err != nil || change.Before != before || change.View != h.Store.View() {
			t.Errorf("from %p to %p, %v", change.Before, change.View, err)
		}
		if diff := cmp.Diff([]string{"a", "b", "gone"}, change.Keys); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if keys := told(t, slow); keys != nil {
			t.Errorf("told again: %v", keys)
		}
	})
}

func TestANewEpochIsComparedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := historytest.New(t)
		h.Commit(historytest.Flag("gone", 1), historytest.Flag("other", 1))
		s, _ := run(t, h, never).Subscribe()
		defer s.Close()
		h.Replace(historytest.Flag("new", 1), historytest.Flag("other", 2))
		if diff := cmp.Diff([]string{"gone", "new", "other"}, told(t, s)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestStalenessBeginsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := historytest.New(t)
		h.Commit(historytest.Flag("plain", 1), historytest.Flag("bounded", 1, `"maxStaleness":"5s"`), historytest.Flag("fresh", 1, `"freshness":"always_fresh"`),
			historytest.Flag("dependent", 1, `"prerequisites":[{"flag":"bounded","variants":["a"]}]`))
		var age atomic.Int64
		s, view := run(t, h, func(f *eval.Flag) bool {
			return time.Duration(age.Load()) > f.MaxStaleness()
		}).Subscribe()
		defer s.Close()
		wait := func() {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		wait()
		if keys := told(t, s); keys != nil {
			t.Errorf("without staleness: %v", keys)
		}
		age.Store(int64(6 * time.Second))
		wait()
		change, err := s.Next(t.Context())
		if err != nil || change.Before != view || change.View != view {
			t.Errorf("change %+v, %v", change, err)
		}
		if diff := cmp.Diff([]string{"bounded", "dependent", "fresh"}, change.Keys); diff != "" {
			t.Errorf("stale (-want +got):\n%s", diff)
		}
		wait()
		if keys := told(t, s); keys != nil {
			t.Errorf("while nothing changes: %v", keys)
		}
		h.Commit(historytest.Flag("bounded", 2)) // never stale now
		if diff := cmp.Diff([]string{"bounded", "dependent"}, told(t, s)); diff != "" {
			t.Errorf("another document (-want +got):\n%s", diff)
		}
		age.Store(0)
		wait()
		if diff := cmp.Diff([]string{"fresh"}, told(t, s)); diff != "" {
			t.Errorf("fresh again (-want +got):\n%s", diff)
		}
	})
}

func TestAClosedSubscriptionAndAnEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := historytest.New(t)
		s, _ := run(t, h, never).Subscribe()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		s.Close()
		h.Commit(historytest.Flag("a", 1))
		if keys := told(t, s); keys != nil {
			t.Errorf("a closed subscription was told %v", keys)
		}
	})
}

// TestSubscribersAtTheirOwnPace lets subscribers keep copies of answers and drop what they are told to. Whatever they keep must be right
// once they have heard everything.
func TestSubscribersAtTheirOwnPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		h := historytest.New(t)
		feed := run(t, h, never)
		type subscriber struct {
			*changes.Subscription
			kept map[string]uint64
		}
		var all []subscriber
		for range 5 {
			s, _ := feed.Subscribe()
			defer s.Close()
			all = append(all, subscriber{s, make(map[string]uint64)})
		}
		hear := func(s subscriber) {
			keys := told(t, s.Subscription)
			for _, key := range keys {
				delete(s.kept, key)
				if f := h.Store.View().Rules().Flag(key); f != nil {
					s.kept[key] = f.Generation()
				}
			}
		}
		for i := range 300 {
			document := historytest.Flag(fmt.Sprintf("flag-%d", random.IntN(20)), i)
			if random.IntN(4) == 0 {
				document.Body = nil
			}
			h.Commit(document)
			hear(all[random.IntN(len(all))])
		}
		want := make(map[string]uint64)
		for _, f := range h.Store.View().Rules().Flags() {
			want[f.Key()] = f.Generation()
		}
		for i, s := range all {
			hear(s)
			if diff := cmp.Diff(want, s.kept); diff != "" {
				t.Errorf("subscriber %d (-want +got):\n%s", i, diff)
			}
		}
	})
}
