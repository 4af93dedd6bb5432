package resolver_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// counting makes w count, with some memory for answers, and returns what it counts in.
func (w *world) counting(memory int64) *usage.Counts {
	w.t.Helper()
	counts := usage.New("shop")
	var err error
	w.Resolver, err = resolver.New(resolver.Options{
		Views: w.store, Log: w, Usage: counts, AnswersMemory: memory, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

// A client that asks again and again, and has the answer, uses the flags in it: that is counted by flag while the answer is in memory, and
// otherwise as a number, so that flags are not taken to be unused.
func TestAnswersThatClientsHaveAreUse(t *testing.T) {
	const times = 5
	for _, test := range []struct {
		name   string
		memory int64
		want   usage.Collected
	}{
		{"in memory", 0, usage.Collected{Evaluations: map[usage.Series]uint64{
			{Flag: "f", Revision: 2, Variant: "none", Reason: eval.ReasonDefault, Bulk: true}: times,
		}}},
		{"not in memory", -1, usage.Collected{Evaluations: map[usage.Series]uint64{}, Unchanged: times}},
	} {
		w := newWorld(t, "f", planned)
		counts := w.counting(test.memory)
		if test.memory >= 0 {
			w.remember()
		}
		_, tag, err := w.answerAll(t.Context(), "", &encoder{form: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if test.memory >= 0 && !w.remembered("", "") {
			t.Fatal("the answer is not remembered")
		}
		counts.Collect()
		for range times {
			if answer, _, err := w.answerAll(t.Context(), tag, &encoder{form: "test"}); err != nil || !answer.NotModified {
				t.Fatalf("%s: %+v, %v", test.name, answer, err)
			}
		}
		test.want.NotFound = map[string]uint64{}
		if diff := cmp.Diff(test.want, counts.Collect()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
