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
			if err := w.Begin(t.Context(), &q, name, resolver.Headers{}); err != nil {
				t.Fatal(err)
			}
			if _, err := q.Answer(nil); err != nil {
				t.Fatal(err)
			}
			q.End()
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", key, allocations)
		}
	}
}

// Attributes are merged in memory that is there already.
func TestEnrichmentDoesNotAllocate(t *testing.T) {
	w := newWorld(t, "plain", flag(``))
	r := w.enriched(resolver.Enrichment{Static: map[string]string{"region": "eu"}, Headers: map[string]string{"X-Tier": "tier"}})
	var q resolver.Request
	name, data, tier := []byte("plain"), []byte(`{"targetingKey":"user-1","region":"us","plan":{"name":"free"}}`), []byte("gold")
	get := func(string) []byte { return tier }
	allocations := testing.AllocsPerRun(1000, func() {
		if err := r.Begin(t.Context(), &q, name, resolver.Headers{Get: get}); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Answer(data); err != nil {
			t.Fatal(err)
		}
		q.End()
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// An answer that the client has is counted as use, in memory that is there already.
func TestUnchangedAnswersDoNotAllocate(t *testing.T) {
	for name, memory := range map[string]int64{"in memory": 0, "not in memory": -1} {
		w := newWorld(t, "f", planned)
		w.counting(memory)
		if memory >= 0 {
			w.remember()
		}
		e := &encoder{form: "test"}
		_, tag, err := w.answerAll(t.Context(), "", e)
		if err != nil || memory >= 0 && !w.remembered("", "") {
			t.Fatalf("%s: %v, or not remembered", name, err)
		}
		var q resolver.BulkRequest
		known := []byte(tag)
		allocations := testing.AllocsPerRun(1000, func() {
			if err := w.BeginAll(t.Context(), &q, resolver.Headers{}); err != nil {
				t.Fatal(err)
			}
			if answer, err := q.Answer(t.Context(), nil, known, e); err != nil || !answer.NotModified {
				t.Fatalf("%+v, %v", answer, err)
			}
			q.End()
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
