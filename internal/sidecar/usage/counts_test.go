package usage_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// ruleset returns flags f-0 to f-(n-1) with a rule and two variants each.
func ruleset(tb testing.TB, n int, revision uint64) *eval.Ruleset {
	tb.Helper()
	var documents []document.Document
	for i := range n {
		documents = append(documents, document.Document{
			Kind: document.KindFlag, Key: fmt.Sprint("f-", i), Revision: revision,
			Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"var":"beta"},"on"]}}`),
		})
	}
	r, problems := eval.New().Update(documents)
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return r
}

func evaluate(tb testing.TB, r *eval.Ruleset, key, evaluationContext string) *eval.Result {
	tb.Helper()
	var c eval.Context
	if err := r.DecodeContext(&c, []byte(evaluationContext)); err != nil {
		tb.Fatal(err)
	}
	result := r.Flag(key).Evaluate(&c, time.Now())
	return &result
}

// count counts a result as a face does.
func count(c *usage.Counts, r *eval.Result, application string) {
	c.Evaluation(r, usage.OutcomeOf(r), c.Application([]byte(application)))
}

func TestSeriesAreToldApart(t *testing.T) {
	t.Parallel()
	c := usage.New("shop")
	r := ruleset(t, 2, 7)
	on, off := evaluate(t, r, "f-0", `{"beta":true}`), evaluate(t, r, "f-0", `{}`)
	count(c, on, "")
	count(c, on, "shop")
	count(c, off, "")
	count(c, off, "cart")
	count(c, evaluate(t, r, "f-1", `{}`), "not a name")
	var b usage.Bulk
	b.Begin(c, c.Application(nil))
	b.Evaluation(on, usage.OutcomeOf(on))
	again := b.Remember()
	b.End()
	c.Again(again)
	c.NotFound([]byte("gone"))
	c.NotFound([]byte("gone"))
	c.NotFound([]byte(strings.Repeat("x", 10_000)))

	matched := usage.Series{Flag: "f-0", Revision: 7, Variant: "on", Reason: eval.ReasonTargetingMatch, Rule: 1}
	missed := usage.Series{Flag: "f-0", Revision: 7, Variant: "off", Reason: eval.ReasonDefault, Rule: 2}
	inCart, inBulk, other := missed, matched, missed
	inCart.Application, inBulk.Bulk = "cart", true
	other.Flag, other.Application = "f-1", usage.OtherApplication
	want := usage.Collected{
		Evaluations:    map[usage.Series]uint64{matched: 2, missed: 1, inCart: 1, inBulk: 2, other: 1},
		NotFound:       map[string]uint64{"gone": 2},
		NotFoundOthers: 1,
	}
	if diff := cmp.Diff(want, c.Collect()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = usage.Collected{Evaluations: map[usage.Series]uint64{}, NotFound: map[string]uint64{}}
	if diff := cmp.Diff(want, c.Collect()); diff != "" {
		t.Errorf("at once again (-want +got):\n%s", diff)
	}
}

// Every outcome has a name of its own, which leads back to it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for o := range usage.Outcome(usage.OutcomeCount) {
		reason, code := o.Reason()
		if o.Failed() != (code != "") {
			t.Errorf("outcome %d: failed %v, code %q", o, o.Failed(), code)
		}
		if back := usage.OutcomeOf(&eval.Result{Reason: reason, ErrorCode: code}); back != o && !(reason == eval.ReasonError && code == "") {
			t.Errorf("outcome %d is %q %q, which is outcome %d", o, reason, code, back)
		}
		seen[string(reason)+string(code)] = true
	}
	if len(seen) != usage.OutcomeCount {
		t.Errorf("%d names for %d outcomes", len(seen), usage.OutcomeCount)
	}
}

// What there is no room for is counted with less said about it, and the sum is always the number of evaluations.
func TestTooManySeries(t *testing.T) {
	t.Parallel()
	c := usage.New("")
	r := ruleset(t, 30_000, 1)
	total, named := uint64(0), []string{"", "a", "b", "c"}
	for i := range 30_000 {
		result := evaluate(t, r, fmt.Sprint("f-", i), `{}`)
		for _, application := range named {
			count(c, result, application)
			total++
		}
	}
	var sum, lumped, nameless uint64
	all := c.Collect()
	for s, n := range all.Evaluations {
		sum += n
		switch {
		case s.Flag == "":
			nameless += n
		case s.Application == usage.OtherApplication:
			lumped += n
		}
	}
	if sum != total {
		t.Errorf("%d evaluations collected of %d", sum, total)
	}
	if lumped == 0 || nameless == 0 || len(all.Evaluations) > 41_000 {
		t.Errorf("%d without an application, %d without a flag, %d series", lumped, nameless, len(all.Evaluations))
	}
	for i := range 300 {
		count(c, evaluate(t, r, "f-0", `{}`), fmt.Sprint("app-", i))
		c.NotFound(fmt.Append(nil, "key-", i))
	}
	all = c.Collect()
	if n := len(all.NotFound); n != 200 || all.NotFoundOthers != 100 {
		t.Errorf("%d unknown keys and %d others", n, all.NotFoundOthers)
	}
}

// While many count, and memory is given up and taken again, every evaluation is collected once.
func TestNoEvaluationIsLostOrCollectedTwice(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 100_000
	c := usage.New("")
	versions := []*eval.Ruleset{ruleset(t, 50, 1), ruleset(t, 50, 2), ruleset(t, 50, 3)}
	want := make([]map[string]uint64, writers)
	var writing sync.WaitGroup
	var done atomic.Bool
	for w := range writers {
		want[w] = make(map[string]uint64)
		writing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			var kept []*usage.Group
			var keptFlags [][]string
			for i := range each {
				r := versions[(i/1000+random.IntN(2))%len(versions)]
				key := fmt.Sprint("f-", random.IntN(50))
				switch random.IntN(50) {
				case 0:
					var b usage.Bulk
					b.Begin(c, 0)
					var flags []string
					for range 5 {
						one := fmt.Sprint("f-", random.IntN(50))
						result := r.Flag(one).Evaluate(nil, time.Time{})
						b.Evaluation(&result, usage.OutcomeOf(&result))
						flags = append(flags, one)
						want[w][one]++
					}
					kept, keptFlags = append(kept, b.Remember()), append(keptFlags, flags)
					b.End()
				case 1:
					if len(kept) > 0 {
						n := random.IntN(len(kept))
						c.Again(kept[n])
						for _, one := range keptFlags[n] {
							want[w][one]++
						}
					}
				case 2:
					c.NotFound([]byte(key))
					want[w]["no "+key]++
				default:
					result := r.Flag(key).Evaluate(nil, time.Time{})
					count(c, &result, "")
					want[w][key]++
				}
			}
		})
	}
	got := make(map[string]uint64)
	collect := func() {
		all := c.Collect()
		for s, n := range all.Evaluations {
			got[s.Flag] += n
		}
		for key, n := range all.NotFound {
			got["no "+key] += n
		}
	}
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for !done.Load() {
			collect()
		}
	})
	writing.Wait()
	done.Store(true)
	collecting.Wait()
	collect()
	sum := make(map[string]uint64)
	for _, one := range want {
		for key, n := range one {
			sum[key] += n
		}
	}
	if !maps.Equal(sum, got) {
		t.Errorf("(-counted +collected):\n%s", cmp.Diff(sum, got))
	}
}

// Counters keep nothing of a flag that was replaced: a large one that is changed again and again takes the memory of one.
func TestReplacedFlagsAreNotKept(t *testing.T) {
	const versions, users, most = 20, 10_000, 2 << 20
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	c, r := usage.New("shop"), eval.New()
	var before int64
	var kept []*usage.Group
	for i := range versions {
		var list strings.Builder
		for j := range users {
			fmt.Fprintf(&list, `"user-%d-%d",`, i, j)
		}
		next, problems := r.Update([]document.Document{{
			Kind: document.KindFlag, Key: "large", Revision: uint64(i + 1),
			Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"in":[{"var":"targetingKey"},[` +
				list.String() + `"last"]]},"on"]}}`),
		}})
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		r = next
		result := evaluate(t, r, "large", `{}`)
		count(c, result, "")
		var b usage.Bulk
		b.Begin(c, 0)
		b.Evaluation(result, usage.OutcomeOf(result))
		kept = append(kept, b.Remember())
		b.End()
		c.Collect()
		if i == 0 {
			before = heap()
		}
	}
	if grown := heap() - before; grown > most {
		t.Errorf("%d versions of one flag take %d bytes more than one, at most %d are allowed", versions, grown, most)
	}
	runtime.KeepAlive(r)
	runtime.KeepAlive(c)
	runtime.KeepAlive(kept)
}

// Long names of flags take no more than their room, and the sum is the number of evaluations.
func TestLongNames(t *testing.T) {
	t.Parallel()
	c := usage.New("")
	var documents []document.Document
	for i := range 12_000 {
		documents = append(documents, document.Document{
			Kind: document.KindFlag, Key: fmt.Sprintf("%01000d", i), Revision: 1, Body: []byte(`{"state":"ENABLED","variants":{"on":1},"defaultVariant":"on"}`),
		})
	}
	r, problems := eval.New().Update(documents)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Flags() {
		result := f.Evaluate(nil, time.Time{})
		count(c, &result, "")
	}
	var sum uint64
	text := 0
	for s, n := range c.Collect().Evaluations {
		sum += n
		text += len(s.Flag) + len(s.Variant)
	}
	if sum != 12_000 || text > 8<<20 || text < 7<<20 {
		t.Errorf("%d evaluations, names of %d bytes", sum, text)
	}
}
