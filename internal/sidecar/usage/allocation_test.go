//go:build !race

// The race detector allocates by itself.

package usage_test

import (
	"testing"

	"github.com/flagside/flagside/internal/sidecar/usage"
)

// Counting what was counted before allocates nothing.
func TestCountingDoesNotAllocate(t *testing.T) {
	c := usage.New("")
	r := ruleset(t, 1, 1)
	result := evaluate(t, r, "f-0", `{"beta":true}`)
	name, key := []byte("shop"), []byte("gone")
	var b usage.Bulk
	b.Begin(c, 0)
	b.Evaluation(result, usage.OutcomeOf(result))
	again := b.Remember()
	all := func() {
		c.Evaluation(result, usage.OutcomeOf(result), c.Application(name))
		c.NotFound(key)
		c.Again(again)
		b.Begin(c, 0)
		b.Evaluation(result, usage.OutcomeOf(result))
	}
	all()
	if n := testing.AllocsPerRun(1000, all); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvaluation(b *testing.B) {
	c := usage.New("")
	r := ruleset(b, 1000, 1)
	result := evaluate(b, r, "f-7", `{"beta":true}`)
	b.ReportAllocs()
	for b.Loop() {
		c.Evaluation(result, usage.OutcomeOf(result), c.Application(nil))
	}
}
