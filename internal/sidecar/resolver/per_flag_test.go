package resolver_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// perFlag returns the counters per flag by label.
func perFlag(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != "flagside_flag_evaluations_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

func TestEvaluationsPerFlag(t *testing.T) {
	w := newWorld(t, "a", flag(``), "b", flag(``), "c", flag(``), "other", flag(``))
	registry := prometheus.NewRegistry()
	r, err := resolver.New(resolver.Options{Views: w.store, Log: w, Metrics: registry, MetricsPerFlag: 2})
	if err != nil {
		t.Fatal(err)
	}
	evaluate := func(times map[string]int) {
		for key, n := range times {
			for range n {
				var q resolver.Request
				begin(t, r, &q, key)
				answer(t, &q, "")
				q.End()
			}
		}
	}
	want := func(what string, want map[string]float64) {
		t.Helper()
		if diff := cmp.Diff(want, perFlag(t, registry)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	want("nothing yet", map[string]float64{"other": 0})
	evaluate(map[string]int{"a": 1, "b": 5, "c": 3, "other": 9, "missing": 4})
	want("the busiest get a series, which begins at once", map[string]float64{"b": 0, "c": 0, "other": 18})
	evaluate(map[string]int{"a": 100, "b": 2, "c": 1, "other": 1})
	want("a series is kept", map[string]float64{"b": 2, "c": 1, "other": 119})

	w.append(changelog.Entry{Kind: document.KindFlag, Key: "c"})
	w.deliver()
	want("a series is free again", map[string]float64{"a": 0, "b": 2, "other": 120})
}

func TestNothingIsCountedPerFlagUnlessAsked(t *testing.T) {
	w := newWorld(t, "a", flag(``))
	w.one("a")
	if got := perFlag(t, w.metrics); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}
