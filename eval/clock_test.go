package eval

import (
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
)

func TestTimeDependent(t *testing.T) {
	now := testTime.Unix()
	rule := func(condition string) string { return `,"targeting":{"if":[` + condition + `,"on"]}` }
	later := fmt.Sprintf(`{">":[{"var":"$flagd.timestamp"},%d]}`, now+5)
	r := apply(t, New(),
		segmentDocument("later", later),
		flagDocument("clock", 1, rule(later)),
		flagDocument("segment", 1, rule(`{"$ref":"later"}`)),
		flagDocument("prerequisite", 1, prerequisites(prerequisite1("clock", "on"))),
		flagDocument("inside", 1, rule(`{"some":[[1],{"$ref":"later"}]}`)),
		flagDocument("whole", 1, rule(`{"var":""}`)),
		flagDocument("computed", 1, rule(`{"var":{"cat":["$flagd.","timestamp"]}}`)),
		flagDocument("arithmetic", 1, rule(`{">":[{"-":[{"var":"$flagd.timestamp"},5]},0]}`)),
		flagDocument("attribute", 1, rule(`{"<":[{"var":"$flagd.timestamp"},{"var":"until"}]}`)),
		flagDocument("past", 1, rule(`{">":[{"var":"$flagd.timestamp"},5]}`)),
		flagDocument("window", 1, rule(fmt.Sprintf(`{"<=":[%d,{"var":"$flagd.timestamp"},%d]}`, now-9, now+9))),
		flagDocument("other branch", 1, rule(`{"and":[false,`+later+`]}`)),
		flagDocument("plain", 1, rule(`{"var":"$flagd.flagKey"}`)),
		document.Document{Kind: document.KindFlag, Key: "disabled", Body: []byte(`{"state":"DISABLED","variants":{"on":true}` + rule(later) + `}`)})
	const unknown = -1
	for key, want := range map[string]int64{
		"clock": now + 5, "segment": now + 5, "prerequisite": now + 5, "attribute": now + 100, "window": now + 9,
		"inside": unknown, "whole": unknown, "computed": unknown, "arithmetic": unknown,
		"past": 0, "other branch": 0, "plain": 0, "disabled": 0,
	} {
		got := evaluate(t, r, key, fmt.Appendf(nil, `{"until":%d}`, now+100))
		until := time.Time{}
		if want > 0 {
			until = time.Unix(want, 0)
		}
		if got.TimeDependent != (want != 0) || !got.ValidUntil.Equal(until) {
			t.Errorf("%s: got %v until %v, want until %v", key, got.TimeDependent, got.ValidUntil, until)
		}
		timeless := key == "other branch" || key == "plain" || key == "disabled"
		if got.ClockRead == timeless {
			t.Errorf("%s: clock read: %v", key, got.ClockRead)
		}
	}
}

// TestAnswersHoldUntilTheyExpire compares the answer at one moment with the answers at every later moment before it may change, and with
// those at every moment if the clock was not read.
func TestAnswersHoldUntilTheyExpire(t *testing.T) {
	const begin, end = 1000, 1040
	changes, checked := 0, 0
	for seed := range uint64(400) {
		g := newGenerator(seed)
		r := apply(t, New(), flagDocument("a", 1, `,"targeting":`+string(marshal(t, g.timeRule(3)))))
		f := r.Flag("a")
		var c Context
		variants := make([]*Variant, end)
		results := make([]Result, end)
		for now := begin; now < end; now++ {
			results[now] = f.Evaluate(&c, time.Unix(int64(now), 0))
			variants[now] = results[now].Variant
		}
		for now := begin; now < end; now++ {
			until := end
			if !results[now].ClockRead && (variants[now] != variants[begin] || results[begin].ClockRead) {
				t.Fatalf("seed %d: the clock was not read at %d, but the answer is another at %d", seed, now, begin)
			}
			switch got := results[now]; {
			case got.TimeDependent && got.ValidUntil.IsZero():
				t.Fatalf("seed %d: comparisons alone leave nothing unknown", seed)
			case got.TimeDependent:
				until = min(until, int(got.ValidUntil.Unix()))
			}
			for later := now + 1; later < until; later++ {
				checked++
				if variants[later] != variants[now] {
					t.Fatalf("seed %d: the answer of %d was to hold until %d but changes at %d", seed, now, until, later)
				}
			}
			if until < end && variants[until] != variants[now] {
				changes++
			}
		}
	}
	if changes == 0 || checked == 0 {
		t.Errorf("%d changes, %d comparisons", changes, checked)
	}
}

// timeRule makes rules that compare the time with numbers around those of TestAnswersHoldUntilTheyExpire.
func (g generator) timeRule(depth int) any {
	if depth == 0 {
		return g.pick("on", "off")
	}
	limit := func() any { return 995 + float64(g.IntN(100))/2 }
	now := map[string]any{"var": "$flagd.timestamp"}
	name := g.pick("<", "<=", ">", ">=", "==", "!=", "===", "!==")
	arguments := [][]any{{now, limit()}, {limit(), now}, {limit(), now, limit()}, {now, "1010"}}[g.IntN(4)]
	return map[string]any{"if": []any{map[string]any{name: arguments}, g.timeRule(depth - 1), g.timeRule(depth - 1)}}
}
