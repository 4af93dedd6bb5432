package eval

import (
	"testing"
	"time"
)

// An answer says which result of the flag's own choice it is, and only of that: neither a segment's nor a prerequisite's counts.
func TestTheRuleOfAnAnswer(t *testing.T) {
	t.Parallel()
	const inner = `{"if":[{"var":"a"},"on",{"var":"b"},"off",null]}`
	for _, test := range []struct {
		name, members, context string
		want                   uint16
	}{
		{"the first", `,"targeting":` + inner, `{"a":true}`, 1},
		{"the second", `,"targeting":` + inner, `{"b":true}`, 2},
		{"all other cases", `,"targeting":` + inner, `{}`, 3},
		{"all other cases that are not written down", `,"targeting":{"if":[{"var":"a"},"on"]}`, `{}`, 2},
		{"another choice inside", `,"targeting":{"if":[{"var":"c"},` + inner + `,"off"]}`, `{"b":true,"c":true}`, 1},
		{"what is never taken counts", `,"targeting":{"if":[false,"on",{"var":"b"},"off","on"]}`, `{"b":true}`, 2},
		{"a condition that fails", `,"targeting":{"if":[{"cat":["x",{"var":"list"}]},"on","off"]}`, `{"list":[1]}`, 0},
		{"no choice", `,"targeting":{"var":"a"}`, `{"a":"on"}`, 0},
		{"no rule", ``, `{}`, 0},
		{"a choice of a segment", `,"targeting":{"$ref":"chosen"}`, `{"b":true}`, 0},
		{"after a prerequisite", `,"prerequisites":[{"flag":"needed","variants":["on"]}],"targeting":` + inner, `{"a":true,"b":true}`, 1},
		{"with a prerequisite alone", `,"prerequisites":[{"flag":"needed","variants":["on"]}]`, `{"a":true}`, 0},
		{"an unmet prerequisite", `,"prerequisites":[{"flag":"needed","variants":["on"]}],"targeting":` + inner, `{"b":true}`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := apply(t, New(), segmentDocument("chosen", inner), flagDocument("needed", 2, `,"targeting":`+inner), flagDocument("f", 3, test.members))
			var c Context
			if err := r.DecodeContext(&c, []byte(test.context)); err != nil {
				t.Fatal(err)
			}
			f := r.Flag("f")
			if got := f.Evaluate(&c, time.Now()); got.Rule != test.want {
				t.Errorf("rule %d of %+v, want %d", got.Rule, got, test.want)
			}
			if got := f.Explain(&c, time.Now()).Result; got.Rule != test.want {
				t.Errorf("explained: rule %d, want %d", got.Rule, test.want)
			}
		})
	}
}

func TestVariantsKnowTheirPlace(t *testing.T) {
	t.Parallel()
	f := apply(t, New(), flagDocument("f", 1, "")).Flag("f")
	for i, v := range f.variants {
		if v.Index() != i {
			t.Errorf("%s is %d, want %d", v.Name(), v.Index(), i)
		}
	}
}
