package resolver_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// Explanations are for people: they are what an application would get, and are not counted as that.
func TestExplanationsAreNotCounted(t *testing.T) {
	w := newWorld(t, "f", flag(`,"maxStaleness":"1h","onUnreachable":"default_variant"`))
	w.confirm(time.Now().Add(-2 * time.Hour))
	var q resolver.Request
	begin(t, w.Resolver, &q, "f")
	defer q.End()
	explained, ok, err := q.Explain(nil)
	if err != nil || !ok || !explained.Stale || explained.Answer.Reason != eval.ReasonStale || string(explained.Answer.Value()) != `"default"` {
		t.Errorf("explained %+v, %t", explained, ok)
	}
	for _, counter := range []string{"flagside_evaluations_total", "flagside_stale_answers_total"} {
		if got := w.counter(counter); got != 0 {
			t.Errorf("%s is %v", counter, got)
		}
	}
}

func TestCacheFirstNeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", flag(``))
		w.hang.Store(true)
		time.Sleep(time.Hour)
		if got := w.one("f"); got.Value != `"ruled"` || got.Reason != eval.ReasonTargetingMatch {
			t.Errorf("got %+v", got)
		}
		if w.barriers.Load() != 0 || w.ages.Load() != 0 {
			t.Errorf("%d barriers, %d looks at the age", w.barriers.Load(), w.ages.Load())
		}
	})
}

func TestAlwaysFreshSeesWhatIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", settled(1, `,"freshness":"always_fresh"`), "g", settled(1, ``))
		w.roundTrip = time.Millisecond
		w.commit("f", settled(2, `,"freshness":"always_fresh"`), "g", settled(2, ``))
		if got := w.one("g"); got.Value != "1" {
			t.Errorf("a flag that asks for nothing waits: %+v", got)
		}
		began := time.Now()
		if got := w.one("f"); got.Value != "2" || got.Reason != eval.ReasonStatic || len(got.Metadata) != 1 {
			t.Errorf("got %+v", got)
		}
		if waited := time.Since(began); waited != w.roundTrip || w.barriers.Load() != 1 {
			t.Errorf("%d barriers in %v", w.barriers.Load(), waited)
		}
	})
}

// A request may ask for more than the flag does, and not for less.
func TestARequestAsksForMore(t *testing.T) {
	w := newWorld(t, "strict", settled(1, `,"freshness":"always_fresh"`), "lax", settled(1, ``))
	for i, freshness := range []eval.Freshness{eval.FreshnessAlwaysFresh, ""} {
		w.barriers.Store(0)
		value := uint64(i + 2)
		w.commit("lax", settled(value, ``))
		if _, err := w.ask(question{key: "lax", freshness: freshness}); err != nil {
			t.Fatal(err)
		}
		if want := freshness == eval.FreshnessAlwaysFresh; want != (w.barriers.Load() == 1) {
			t.Errorf("%q of a lax flag makes %d barriers", freshness, w.barriers.Load())
		}
		if _, err := w.ask(question{key: "strict", freshness: freshness}); err != nil {
			t.Fatal(err)
		}
		if w.barriers.Load() == 0 {
			t.Errorf("%q of a strict flag makes no barrier", freshness)
		}
	}
	if _, err := w.ask(question{key: "strict", freshness: eval.FreshnessCacheFirst}); !errors.Is(err, resolver.ErrRequirement) {
		t.Errorf("less than the flag asks for: %v", err)
	}
	w.commit("new", settled(1, ``))
	if answers, err := w.ask(question{key: "new", freshness: eval.FreshnessAlwaysFresh}); err != nil || answers["new"].Value != "1" {
		t.Errorf("a flag that was just made: %+v, %v", answers, err)
	}
}

// An estimate of the age is shown and called that. It makes no answer fresh, and gives way to what is known.
func TestAnEstimatedAgeIsOnlyShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", settled(1, `,"maxStaleness":"1h"`))
		w.confirmed.Store(nil)
		began := time.Now()
		r, err := resolver.New(resolver.Options{
			Views: w.store, Log: w, Metrics: prometheus.NewRegistry(),
			EstimatedAge: func() (time.Duration, bool) { return time.Minute + time.Since(began), true },
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Resolver = r
		time.Sleep(5 * time.Second)
		const since = "1999-12-31T23:59:00Z" // a minute before the bubble begins
		want := item{Value: "1", Reason: eval.ReasonStale, Metadata: map[string]any{
			"version": 2.0, "staleSince": since, "ageSeconds": 65.0, "ageEstimated": true,
		}}
		if diff := cmp.Diff(want, w.one("f")); diff != "" {
			t.Errorf("single (-want +got):\n%s", diff)
		}
		delete(want.Metadata, "ageSeconds")
		answers, err := w.ask(question{})
		if diff := cmp.Diff(want, answers["f"]); diff != "" || err != nil {
			t.Errorf("bulk: %v (-want +got):\n%s", err, diff)
		}
		var q resolver.Request
		begin(t, r, &q, "f")
		explained, _, err := q.Explain(nil)
		q.End()
		if err != nil || !explained.Stale || !explained.AgeEstimated || *explained.AgeSeconds != 65 {
			t.Errorf("explained %+v, %v", explained, err)
		}
		w.confirm(time.Now())
		if got := w.one("f"); got.Reason != eval.ReasonStatic || got.Metadata["ageEstimated"] != nil {
			t.Errorf("once confirmed: %+v", got)
		}
	})
}

// What a flag answers when its log cannot be asked, or its knowledge is too old.
func TestOnUnreachable(t *testing.T) {
	const since = "2000-01-01T00:00:00Z" // when a bubble begins
	for _, demand := range []struct{ name, members string }{
		{"always_fresh", `,"freshness":"always_fresh"`},
		{"maxStaleness", `,"maxStaleness":"3s"`},
		{"both", `,"freshness":"always_fresh","maxStaleness":"3s"`},
		{"background", `,"freshness":"background_refresh","refreshAfter":"1s","maxStaleness":"5s"`},
	} {
		for _, test := range []struct {
			name, members string
			want          item
		}{
			{"serve_stale", flag(demand.members), item{Value: `"ruled"`, Reason: eval.ReasonStale}},
			{"serve_stale named", flag(demand.members + `,"onUnreachable":"serve_stale"`), item{Value: `"ruled"`, Reason: eval.ReasonStale}},
			{"default_variant", flag(demand.members + `,"onUnreachable":"default_variant"`), item{Value: `"default"`, Reason: eval.ReasonStale}},
			{"error", flag(demand.members + `,"onUnreachable":"error"`), item{Reason: eval.ReasonError, Code: eval.ErrorGeneral}},
			{
				"without a default",
				`{"state":"ENABLED","variants":{"a":1},"targeting":{"if":[true,"a",null]},"onUnreachable":"default_variant"` + demand.members + `}`,
				item{Reason: eval.ReasonDefault},
			},
			{
				"disabled", `{"state":"DISABLED","variants":{"a":1},"defaultVariant":"a","onUnreachable":"default_variant"` + demand.members + `}`,
				item{Reason: eval.ReasonDisabled},
			},
			{
				"broken rule", `{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a","targeting":{"var":"x"}` + demand.members + `}`,
				item{Value: "1", Reason: eval.ReasonStale},
			},
		} {
			t.Run(demand.name+"/"+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, "f", test.members)
					w.cut.Store(true)
					time.Sleep(6 * time.Second)
					want := test.want
					want.Metadata = map[string]any{"version": 2.0, "staleSince": since, "ageSeconds": 6.0}
					if diff := cmp.Diff(want, w.one("f")); diff != "" {
						t.Errorf("single (-want +got):\n%s", diff)
					}
					delete(want.Metadata, "ageSeconds")
					answers, err := w.ask(question{})
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, answers["f"]); diff != "" {
						t.Errorf("bulk (-want +got):\n%s", diff)
					}
					w.cut.Store(false)
					w.confirm(time.Now())
					if got := w.one("f"); got.Reason == eval.ReasonStale || got.Code != "" || len(got.Metadata) != 1 {
						t.Errorf("once the log is back: %+v", got)
					}
				})
			})
		}
	}
}

// Nothing says stale before it is.
func TestStaleOnlyPastTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", flag(`,"maxStaleness":"10s"`), "g", flag(``))
		f, g := w.store.View().Rules().Flag("f"), w.store.View().Rules().Flag("g")
		time.Sleep(10 * time.Second)
		if got := w.one("f"); got.Reason != eval.ReasonTargetingMatch || w.Stale(f) {
			t.Errorf("at the bound: %+v, stale %v", got, w.Stale(f))
		}
		time.Sleep(time.Millisecond)
		if got := w.one("f"); got.Reason != eval.ReasonStale || !w.Stale(f) || w.Stale(g) {
			t.Errorf("past the bound: %+v, stale %v and %v", got, w.Stale(f), w.Stale(g))
		}
		w.confirmed.Store(nil)
		got := w.one("f")
		if _, pretended := got.Metadata["ageSeconds"]; got.Reason != eval.ReasonStale || pretended || got.Metadata["staleSince"] == nil {
			t.Errorf("of unknown age: %+v", got)
		}
	})
}

// The strictest of a flag and what it depends on decides how fresh and what otherwise; the default variant is the asked flag's.
func TestClosures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t,
			"base", flag(`,"freshness":"always_fresh","onUnreachable":"default_variant"`),
			"asked", `{"state":"ENABLED","variants":{"a":1,"own":2},"defaultVariant":"own","targeting":{"if":[true,"a",null]},
				"prerequisites":[{"flag":"base","variants":["a"]}]}`)
		if got := w.one("asked"); got.Value != "1" || w.barriers.Load() != 1 {
			t.Errorf("%d barriers, got %+v", w.barriers.Load(), got)
		}
		w.cut.Store(true)
		if got := w.one("asked"); got.Value != "2" || got.Reason != eval.ReasonStale {
			t.Errorf("cut off: %+v", got)
		}
	})
}

func TestBulkMakesOneBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t,
			"a", settled(1, `,"freshness":"always_fresh"`), "b", settled(1, `,"freshness":"always_fresh","onUnreachable":"error"`),
			"c", settled(1, `,"maxStaleness":"5s"`), "d", settled(1, ``), "web", settled(1, `,"metadata":{"flagSetId":"web"}`))
		ask := func(selector string) map[string]item {
			answers, err := w.ask(question{selector: selector})
			if err != nil {
				t.Fatal(err)
			}
			return answers
		}
		ask("")
		ask("")
		if got := w.barriers.Load(); got != 2 {
			t.Errorf("%d barriers for two requests", got)
		}
		ask("flagSetId=web")
		if got := w.barriers.Load(); got != 2 {
			t.Error("flags that are not selected cause a barrier")
		}
		w.cut.Store(true)
		reasons := map[string]eval.Reason{}
		for key, item := range ask("") {
			reasons[key] = item.Reason
		}
		want := map[string]eval.Reason{"a": "STALE", "b": "ERROR", "c": "STATIC", "d": "STATIC", "web": "STATIC"}
		if diff := cmp.Diff(want, reasons); diff != "" {
			t.Errorf("cut off (-want +got):\n%s", diff)
		}
		if got := w.barriers.Load(); got != 3 {
			t.Errorf("%d barriers for three requests", got)
		}
	})
}

// While nothing happens the items of a bulk answer stay the same, to the letter.
func TestStaleItemsAreConstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", flag(`,"maxStaleness":"3s"`))
		w.cut.Store(true)
		time.Sleep(4 * time.Second)
		before, err := w.ask(question{})
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			time.Sleep(333 * time.Millisecond)
			after, err := w.ask(question{})
			if diff := cmp.Diff(before, after); err != nil || diff != "" {
				t.Fatalf("%v (-before +after):\n%s", err, diff)
			}
		}
		w.confirm(time.Now())
		time.Sleep(4 * time.Second)
		after, err := w.ask(question{})
		if err != nil || after["f"].Metadata["staleSince"] == before["f"].Metadata["staleSince"] {
			t.Errorf("after a confirmation %+v, %v", after, err)
		}
	})
}

func TestMetadataOfTheFlagAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", flag(`,"maxStaleness":"3s","metadata":{"staleSince":"own","ageSeconds":7}`))
		time.Sleep(time.Minute)
		want := map[string]any{"staleSince": "own", "ageSeconds": 7.0, "version": 2.0}
		if diff := cmp.Diff(want, w.one("f").Metadata); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A barrier that does not end is given up at the deadline, and minimum revision and barrier share it.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", settled(1, `,"freshness":"always_fresh"`))
		w.hang.Store(true)
		began := time.Now()
		if got := w.one("f"); got.Reason != eval.ReasonStale || time.Since(began) != resolver.DefaultDeadline {
			t.Errorf("after %v: %+v", time.Since(began), got)
		}
		if got := w.counter("flagside_freshness_barriers_total", "request", "timeout"); got != 1 {
			t.Errorf("%v time-outs are counted", got)
		}
		revision := w.commit("f", settled(2, `,"freshness":"always_fresh"`))
		time.AfterFunc(400*time.Millisecond, w.deliver)
		began = time.Now()
		answers, err := w.ask(question{key: "f", revision: w.token(revision)})
		if err != nil || answers["f"].Value != "2" || time.Since(began) != resolver.DefaultDeadline {
			t.Errorf("after %v: %+v, %v", time.Since(began), answers, err)
		}
	})
}

func TestMinimumRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", settled(1, ``))
		revision := w.commit("f", settled(2, ``))
		other := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), ""), Revision: 1}.Token()
		for _, key := range []string{"f", ""} {
			began := time.Now()
			if _, err := w.ask(question{key: key, revision: other}); !errors.Is(err, resolver.ErrOtherEpoch) || time.Since(began) != 0 {
				t.Errorf("key %q: another epoch: %v after %v", key, err, time.Since(began))
			}
			if answers, err := w.ask(question{key: key, revision: w.token(revision - 1)}); err != nil || answers["f"].Value != "1" || time.Since(began) != 0 {
				t.Errorf("key %q: what is there: %v, %v after %v", key, answers, err, time.Since(began))
			}
			if _, err := w.ask(question{key: key, revision: w.token(revision)}); !errors.Is(err, resolver.ErrNotReached) || time.Since(began) != resolver.DefaultDeadline {
				t.Errorf("key %q: what does not come: %v after %v", key, err, time.Since(began))
			}
			time.AfterFunc(300*time.Millisecond, w.deliver)
			began = time.Now()
			if answers, err := w.ask(question{key: key, revision: w.token(revision)}); err != nil || answers["f"].Value != "2" || time.Since(began) != 300*time.Millisecond {
				t.Errorf("key %q: what comes: %v, %v after %v", key, answers, err, time.Since(began))
			}
			w.commit("f", settled(1, ``), "f", settled(1, ``))
			w.deliver()
			revision = w.commit("f", settled(2, ``))
		}
		if w.barriers.Load() != 0 {
			t.Errorf("%d barriers", w.barriers.Load())
		}
	})
}

// A bootstrap file belongs to no history: a revision is waited for there.
func TestMinimumRevisionBeforeAnyHistory(t *testing.T) {
	v := newViews(t)
	v.load(t, flags)
	r := newResolver(t, v)
	var q resolver.Request
	revision := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), ""), Revision: 1}.Token()
	if err := r.Begin(t.Context(), &q, []byte("a"), question{revision: revision}.headers()); !errors.Is(err, resolver.ErrNotReached) {
		t.Errorf("error %v", err)
	}
}

// Old knowledge is answered from at once, and one barrier runs behind, however many ask.
func TestBackgroundRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members = `,"freshness":"background_refresh","refreshAfter":"5s"`
		w := newWorld(t, "f", settled(1, members))
		w.roundTrip = 100 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = w.Run(ctx) })
		defer running.Wait()
		defer cancel()
		ask := func(want string) {
			t.Helper()
			began := time.Now()
			if got := w.one("f"); got.Value != want || got.Reason != eval.ReasonStatic || time.Since(began) != 0 {
				t.Errorf("after %v: %+v, want %s", time.Since(began), got, want)
			}
		}
		w.commit("f", settled(2, members))
		time.Sleep(5 * time.Second)
		ask("1")
		synctest.Wait()
		if got := w.barriers.Load(); got != 0 {
			t.Fatalf("%d barriers for knowledge that is young enough", got)
		}
		time.Sleep(time.Millisecond)
		for range 100 {
			ask("1")
		}
		synctest.Wait()
		if got := w.barriers.Load(); got != 1 {
			t.Errorf("%d barriers at once", got)
		}
		time.Sleep(w.roundTrip)
		synctest.Wait()
		ask("2")
		// Those who asked meanwhile may have caused one more; then there is peace.
		time.Sleep(time.Second)
		if got := w.barriers.Load(); got > 2 {
			t.Errorf("%d barriers in all", got)
		}
	})
}

// While the log is cut off, refreshing is tried once a second, however many ask.
func TestBackgroundRefreshBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "f", settled(1, `,"freshness":"background_refresh"`))
		w.cut.Store(true)
		go func() { _ = w.Run(t.Context()) }()
		time.Sleep(10 * time.Second)
		for range 10_000 {
			w.one("f")
			time.Sleep(time.Millisecond)
		}
		synctest.Wait() // for a barrier that begins at this moment
		if got := w.barriers.Load(); got < 9 || got > 11 {
			t.Errorf("%d barriers in ten seconds", got)
		}
		if got := w.counter("flagside_freshness_barriers_total", "refresh", "failed"); got != float64(w.barriers.Load()) {
			t.Errorf("%v are counted", got)
		}
	})
}

func TestStaleAnswersAreCounted(t *testing.T) {
	w := newWorld(t, "a", flag(`,"freshness":"always_fresh"`), "b", flag(`,"freshness":"always_fresh","onUnreachable":"error"`))
	w.cut.Store(true)
	for range 2 {
		w.one("a")
	}
	w.one("b")
	got := map[string]float64{
		"serve_stale":     w.counter("flagside_stale_answers_total", "serve_stale"),
		"default_variant": w.counter("flagside_stale_answers_total", "default_variant"),
		"error":           w.counter("flagside_stale_answers_total", "error"),
		"stale":           w.counter("flagside_evaluations_total", "stale"),
		"errors":          w.counter("flagside_evaluations_total", "error"),
		"general":         w.counter("flagside_evaluation_errors_total", "general"),
		"failed":          w.counter("flagside_freshness_barriers_total", "request", "failed"),
	}
	want := map[string]float64{"serve_stale": 2, "default_variant": 0, "error": 1, "stale": 2, "errors": 1, "general": 1, "failed": 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRequirements(t *testing.T) {
	token := changelog.Token{Epoch: "0123abcd", Revision: 7}
	for _, test := range []struct {
		revision, freshness string
		want                changelog.Token
		fresh               eval.Freshness
		refused             bool
	}{
		{"", "", changelog.Token{}, "", false},
		{"0123abcd-7", "always_fresh", token, eval.FreshnessAlwaysFresh, false},
		{"0123abcd-7", "", token, "", false},
		{"7", "", changelog.Token{}, "", true},
		{"0123abcd-07", "", changelog.Token{}, "", true},
		{`"0123abcd-7"`, "", changelog.Token{}, "", true},
		{"0123abcd-99999999999999999999", "", changelog.Token{}, "", true},
		{"", "cache_first", changelog.Token{}, "", true},
		{"", "ALWAYS_FRESH", changelog.Token{}, "", true},
	} {
		got, fresh, err := resolver.ParseRequirement([]byte(test.revision), []byte(test.freshness))
		if got != test.want || fresh != test.fresh || errors.Is(err, resolver.ErrRequirement) != test.refused {
			t.Errorf("%q, %q: %v, %q, %v", test.revision, test.freshness, got, fresh, err)
		}
	}
}
