//go:build !race

// The race detector allocates by itself.

package events_test

import (
	"testing"
	"time"

	"github.com/flagside/flagside/eval"
)

// An exposure that was told before, and one that cannot be told, allocate nothing.
func TestRepeatedExposuresDoNotAllocate(t *testing.T) {
	r := recorder(t, nil)
	rules := ruleset(t, 1)
	var c eval.Context
	if err := rules.DecodeContext(&c, []byte(`{"targetingKey":"user-1","beta":true}`)); err != nil {
		t.Fatal(err)
	}
	f, now := rules.Flag("a"), time.Now()
	result := f.Evaluate(&c, now)
	if n := testing.AllocsPerRun(1000, func() { r.Exposed(&result, f.Subject(&c), 0, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkExposure(b *testing.B) {
	r := recorder(b, nil)
	rules := ruleset(b, 1)
	result := rules.Flag("a").Evaluate(new(eval.Context), time.Now())
	now := time.Now()
	b.Run("told before", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Exposed(&result, "user-4711", 0, now)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		name := []byte("user-00000000")
		for b.Loop() {
			for i := len(name) - 1; ; i-- {
				if name[i]++; name[i] <= '9' {
					break
				}
				name[i] = '0'
			}
			r.Exposed(&result, string(name), 0, now)
			if r.Waiting() > 10_000 {
				r.Collect(everything)
			}
		}
	})
}
