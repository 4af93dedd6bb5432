package answering

import (
	"cmp"
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/preview"
	wire "github.com/flagside/flagside/sync/preview"
)

// comparison evaluates flags as they are and as they would be.
type comparison struct {
	now, then   *eval.Ruleset
	contexts    [2]eval.Context
	byKey       map[string]*tally
	bySet       map[string][]*tally // by the flag set as it is
	all         []*tally            // by key
	evaluations int                 // of both rulesets
}

// newComparison compiles a change on a view. The error says that it does not compile.
func newComparison(view *cache.View, q *wire.Question) (*comparison, error) {
	changes := make([]document.Document, len(q.Documents))
	for i, d := range q.Documents {
		changes[i] = document.Document{Kind: d.Kind, Key: d.Key, Revision: q.Base.Revision + 1, Body: d.Body}
		if len(d.Body) == 0 {
			changes[i].Body = nil
		}
	}
	c := &comparison{now: view.Rules(), byKey: make(map[string]*tally), bySet: make(map[string][]*tally)}
	var problems eval.Problems
	if c.then, problems = c.now.Update(changes); problems.Err() != nil {
		return nil, problems.Err()
	}
	for before, after := range c.then.Difference(c.now) {
		if before == nil { // there were no evaluations of it
			continue
		}
		t := &tally{before: before, after: after, changes: make(map[change]*cell)}
		c.byKey[before.Key()] = t
		c.bySet[before.SetID()] = append(c.bySet[before.SetID()], t)
		c.all = append(c.all, t)
	}
	return c, nil
}

// wanted returns the keys of the flags that the change touches, and their flag sets.
func (c *comparison) wanted() (flags, sets map[string]bool) {
	flags, sets = make(map[string]bool), make(map[string]bool)
	for _, t := range c.all {
		flags[t.before.Key()], sets[t.before.SetID()] = true, true
	}
	return flags, sets
}

// asked returns the flags that a sample may ask for and that the change touches.
func (c *comparison) asked(s *preview.Remembered) []*tally {
	if key, one := s.Flag(); one {
		return []*tally{c.byKey[key]}
	}
	if set, all := s.Set(); all {
		return c.bySet[set]
	}
	return c.all
}

// weigh notes how many evaluations there were of each flag. It looks once at each sample, and once at each flag.
func (c *comparison) weigh(all []preview.Remembered) {
	everything, sets := 0.0, make(map[string]float64)
	for i := range all {
		s := &all[i]
		if key, one := s.Flag(); one {
			if t := c.byKey[key]; s.Asks(t.before) {
				t.total += s.Weight
			}
		} else if set, of := s.Set(); of {
			sets[set] += s.Weight
		} else {
			everything += s.Weight
		}
	}
	for _, t := range c.all {
		t.total += everything + sets[t.before.SetID()]
	}
}

// sample evaluates what a sample asks for, and reports whether there was time for all of it. One that fails on its context as it is counts as nothing:
// its application got no answer.
func (c *comparison) sample(ctx context.Context, s *preview.Remembered, now time.Time, w *work) bool {
	if !w.next() || ctx.Err() != nil {
		return false
	}
	before, after := &c.contexts[0], &c.contexts[1]
	failed := cmp.Or(c.now.DecodeContext(before, s.Context), c.then.DecodeContext(after, s.Context))
	defer before.Reset()
	defer after.Reset()
	for _, t := range c.asked(s) {
		if !s.Asks(t.before) {
			continue
		}
		if failed != nil {
			t.total -= s.Weight
			continue
		}
		if !w.next() {
			return false
		}
		c.compare(t, s, before, after, now)
		runtime.Gosched()
	}
	return true
}

// compare evaluates a flag as it is and as it would be. One that would lie in another flag set than was asked for would not be found.
func (c *comparison) compare(t *tally, s *preview.Remembered, before, after *eval.Context, now time.Time) {
	c.evaluations += 2
	is, would := t.before.Try(before, now), eval.Result{Reason: eval.ReasonError, ErrorCode: eval.ErrorFlagNotFound}
	if t.after != nil && s.Asks(t.after) {
		would = t.after.Try(after, now)
	}
	t.add(&is, &would, s.Weight)
}

// flags returns the counts of all flags, those with the most evaluations first.
func (c *comparison) flags(random *rand.Rand) []wire.Flag {
	told := make([]wire.Flag, len(c.all))
	for i, t := range c.all {
		told[i] = t.flag(random)
	}
	slices.SortStableFunc(told, func(a, b wire.Flag) int { return cmp.Compare(b.Evaluations, a.Evaluations) })
	return told
}
