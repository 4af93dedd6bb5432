package usage_test

import (
	"iter"
	"runtime"
	"sync"
	"testing"
	"weak"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/waiting"
)

// resultsOf returns the results of all flags in an empty context.
func resultsOf(tb testing.TB, r *eval.Ruleset) iter.Seq[eval.Result] {
	tb.Helper()
	return func(yield func(eval.Result) bool) {
		for _, flag := range r.Flags() {
			if !yield(*evaluate(tb, r, flag.Key(), `{}`)) {
				return
			}
		}
	}
}

// What is counted in groups, at places and again is collected exactly once, whenever that is collected and given up meanwhile.
func TestGroupsCountEachEvaluation(t *testing.T) {
	t.Parallel()
	const answers, readers = 2000, 4
	c := usage.New("shop")
	settled, asked := ruleset(t, 3, 1), ruleset(t, 3, 2)
	group := c.Group(resultsOf(t, settled), c.Application(nil))
	result := evaluate(t, asked, "f-1", `{"beta":true}`)
	var place usage.Place
	var running sync.WaitGroup
	for range readers {
		running.Go(func() {
			var b usage.Bulk
			for range answers {
				b.Begin(c, c.Application(nil))
				b.EvaluationAt(&place, result, usage.OutcomeOf(result))
				b.EvaluationAt(&place, result, usage.OutcomeOf(result))
				b.Settled(group)
				again := b.Remember()
				b.End()
				c.Again(again)
			}
		})
	}
	sums := make(map[usage.Series]uint64)
	collect := func() {
		for s, n := range c.Collect().Evaluations {
			sums[s] += n
		}
	}
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	for done := false; !done; {
		select {
		case <-ended:
			done = true
		default:
		}
		collect()
	}
	for range 100 { // until all memory is given up
		collect()
	}
	var b usage.Bulk
	b.Begin(c, c.Application(nil))
	b.Settled(group)
	b.End()
	collect()
	want := map[usage.Series]uint64{
		{Flag: "f-1", Revision: 2, Variant: "on", Reason: eval.ReasonTargetingMatch, Rule: 1, Bulk: true}: 4 * answers * readers,
	}
	for _, flag := range settled.Flags() {
		want[usage.Series{Flag: flag.Key(), Revision: 1, Variant: "off", Reason: eval.ReasonDefault, Rule: 2, Bulk: true}] = 2*answers*readers + 1
	}
	for s, n := range want {
		if sums[s] != n {
			t.Errorf("%+v was collected %d times, want %d", s, sums[s], n)
		}
	}
	if len(sums) != len(want) {
		t.Errorf("%d series, want %d", len(sums), len(want))
	}
}

// What is remembered of an answer counts all that it may keep from being forgotten, and a group that is not
// counted any more is given up.
func TestGroupsDoNotHoldMoreThanTheySay(t *testing.T) {
	t.Parallel()
	c := usage.New("shop")
	group := c.Group(resultsOf(t, ruleset(t, 1000, 1)), c.Application(nil))
	var b usage.Bulk
	b.Begin(c, c.Application(nil))
	b.Settled(group)
	if size := b.Remember().Size(); size < 1000*8 {
		t.Errorf("%d bytes for the evaluations of 1,000 flags", size)
	}
	b.End()
	held := weak.Make(group)
	c.Collect()
	c.Collect() // which finds nothing
	waiting.Until(t, "the group to be given up", func() bool {
		runtime.GC()
		return held.Value() == nil
	})
	runtime.KeepAlive(c)
}
