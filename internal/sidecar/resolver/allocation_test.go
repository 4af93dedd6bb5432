//go:build !race

// The race detector allocates by itself.

package resolver_test

import (
	"testing"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// What does not wait does not allocate: neither the answers of memory, nor a look at their age, nor a refresh behind them.
func TestAnswersFromMemoryDoNotAllocate(t *testing.T) {
	w := newWorld(t,
		"plain", flag(``), "bounded", flag(`,"maxStaleness":"1h"`),
		"refreshed", flag(`,"freshness":"background_refresh","refreshAfter":"1ms"`))
	w.cut.Store(true)
	var q resolver.Request
	for _, key := range []string{"plain", "bounded", "refreshed"} {
		name := []byte(key)
		allocations := testing.AllocsPerRun(1000, func() {
			if err := w.Begin(&q); err != nil {
				t.Fatal(err)
			}
			if err := q.Freshen(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if err := q.SetContext(nil); err != nil {
				t.Fatal(err)
			}
			q.Evaluate(name)
			q.End()
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", key, allocations)
		}
	}
}
