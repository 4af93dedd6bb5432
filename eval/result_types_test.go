package eval

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/document"
)

// resultOf returns the answer of a flag whose only variant has the value.
func resultOf(t testing.TB, raw string, c Compatibility) Result {
	t.Helper()
	body := fmt.Sprintf(`{"state":"ENABLED","variants":{"v":%s},"defaultVariant":"v"}`, raw)
	r := apply(t, New(), settingsDocument(fmt.Sprintf(`{"compatibility":%q}`, c)), document.Document{Kind: document.KindFlag, Key: "a", Body: []byte(body)})
	return evaluate(t, r, "a", nil)
}

// typed returns what a result is as each type; - means that it is not of the type.
func typed(r Result) string {
	show := func(v any, ok bool) string {
		if !ok {
			return "-"
		}
		return fmt.Sprint(v)
	}
	b, okB := r.Bool()
	s, okS := r.Text()
	f, okF := r.Float64()
	i, okI := r.Int64()
	o, okO := r.Object()
	return fmt.Sprint(show(b, okB), " ", show(s, okS), " ", show(f, okF), " ", show(i, okI), " ", show(string(o), okO))
}

func TestTypedResults(t *testing.T) {
	for raw, want := range map[string]string{
		`true`:                    "true - - - -",
		`false`:                   "false - - - -",
		`"t\"\u00e9xt"`:           "- t\"éxt - - -",
		`""`:                      "-  - - -",
		`{"a":[1, 2]}`:            `- - - - {"a":[1,2]}`,
		`0`:                       "- - 0 0 -",
		`-0.0`:                    "- - -0 0 -",
		`10.0`:                    "- - 10 10 -",
		`1e3`:                     "- - 1000 1000 -",
		`1.5E+1`:                  "- - 15 15 -",
		`100e-2`:                  "- - 1 1 -",
		`3.14`:                    "- - 3.14 - -",
		`0.1`:                     "- - 0.1 - -",
		`0.1000`:                  "- - 0.1 - -",
		`-7`:                      "- - -7 -7 -",
		`9007199254740992`:        "- - 9.007199254740992e+15 9007199254740992 -",
		`9007199254740993`:        "- - - 9007199254740993 -",
		`9223372036854775807`:     "- - - 9223372036854775807 -",
		`-9223372036854775808`:    "- - - -9223372036854775808 -",
		`1152921504606846976`:     "- - 1.152921504606847e+18 1152921504606846976 -",
		`9223372036854775808`:     "- - - - -",
		`4503599627370497.2`:      "- - - - -",
		`0.99999999999999999999`:  "- - - - -",
		`0.999999999999999999999`: "- - - - -",
		`1e21`:                    "- - 1e+21 - -",
		`1e23`:                    "- - 1e+23 - -",
		`1e-400`:                  "- - - - -",
		`1.7976931348623157e308`:  "- - 1.7976931348623157e+308 - -",
		`0.1234567890123456789`:   "- - - - -",
	} {
		if got := typed(resultOf(t, raw, "")); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		`3.99`:             "- - 3.99 3 -",
		`-0.5`:             "- - -0.5 0 -",
		`9007199254740993`: "- - 9.007199254740992e+15 9007199254740992 -",
		`1e30`:             "- - 1e+30 - -",
		`[1]`:              "- - - - -",
		`null`:             "- - - - -",
	} {
		if got := typed(resultOf(t, raw, CompatibilityFlagd)); got != want {
			t.Errorf("flagd, %s: got %s, want %s", raw, got, want)
		}
	}
	if got := typed(Result{}); got != "- - - - -" {
		t.Errorf("no answer: got %s", got)
	}
}

func TestTypedNumbersDoNotAllocate(t *testing.T) {
	for _, raw := range []string{"3.14", "123456789", "true"} {
		r := resultOf(t, raw, "")
		if allocations := testing.AllocsPerRun(100, func() { r.Bool(); r.Float64(); r.Int64() }); allocations != 0 {
			t.Errorf("%s: %v allocations", raw, allocations)
		}
	}
}
