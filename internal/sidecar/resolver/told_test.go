package resolver_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// What a client tells that evaluates by itself is counted as its evaluations here would be.
func TestWhatClientsTellIsCounted(t *testing.T) {
	w := newWorld(t, "f", planned)
	if err := w.Count("a", nil, nil); !errors.Is(err, resolver.ErrNotCounting) {
		t.Errorf("without counts: %v", err)
	}
	counts := w.counting(0)
	err := w.Count("a", []byte("cart"), []resolver.Told{
		{Flag: "f", Variant: "none", Reason: eval.ReasonDefault, N: 7},
		{Flag: "f", Variant: "none", Reason: eval.ReasonDefault, N: 3},
		{Flag: "f", Variant: "of another version", Reason: eval.ReasonTargetingMatch, N: 2},
		{Flag: "f", Code: eval.ErrorTypeMismatch, N: 1},
		{Flag: "f", Reason: "WHATEVER", N: 1},
		{Flag: "gone", Reason: eval.ReasonStatic, N: 4},
	})
	if err != nil {
		t.Fatal(err)
	}
	series := func(variant string, reason eval.Reason, code eval.ErrorCode) usage.Series {
		return usage.Series{Flag: "f", Revision: 2, Variant: variant, Reason: reason, Code: code, Application: "cart"}
	}
	want := usage.Collected{NotFound: map[string]uint64{"gone": 4}, Evaluations: map[usage.Series]uint64{
		series("none", eval.ReasonDefault, ""): 10, series("", eval.ReasonTargetingMatch, ""): 2, series("", eval.ReasonError, eval.ErrorTypeMismatch): 1,
		series("", eval.ReasonUnknown, ""): 1,
	}}
	if diff := cmp.Diff(want, counts.Collect()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
