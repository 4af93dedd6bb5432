package eval

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
)

// nested returns a rule that is wrapped n times: each % in the wrapping stands for the rule inside.
func nested(wrapping, inner string, n int) string {
	for range n {
		inner = strings.ReplaceAll(wrapping, "%", inner)
	}
	return inner
}

// TestCompilationOfNestedRulesEnds compiles rules whose parts are compiled for several places. Twice a level would be 2^40 and more.
func TestCompilationOfNestedRulesEnds(t *testing.T) {
	inside := func(body string) string { return `{"some":[[{"a":1,"b":2}],` + body + `]}` }
	for name, rule := range map[string]string{
		"distributions": nested(`{"fractional":[[%,1]]}`, `"on"`, 60),
		"lists":         inside(nested(`{"some":[{"var":["x",%]},{"==":[1,1]}]}`, `1`, 50)),
		"conditions":    inside(nested(`{"some":[[1],{"var":["x",%]}]}`, `1`, 50)),
		"defaults":      inside(nested(`{"var":["x",%]}`, `1`, 100)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, settings := range []string{`{}`, `{"compatibility":"flagd"}`} {
				r, _ := New().Update([]document.Document{settingsDocument(settings), flagDocument("a", 1, `,"targeting":`+rule)})
				checkResult(t, evaluate(t, r, "a", []byte(`{"targetingKey":"u"}`)))
			}
		})
	}
}

// TestSegmentsThatGrowAreRefused doubles a rule with every segment, outside and inside of an iteration.
func TestSegmentsThatGrowAreRefused(t *testing.T) {
	documents := []document.Document{segmentDocument("s00", `{"==":[{"var":"a"},1]}`)}
	for i := 1; i < 40; i++ {
		documents = append(documents, segmentDocument(fmt.Sprintf("s%02d", i), fmt.Sprintf(`{"and":[{"$ref":"s%02d"},{"$ref":"s%02d"}]}`, i-1, i-1)))
	}
	documents = append(documents, flagDocument("plain", 1, `,"targeting":{"if":[{"$ref":"s09"},"on"]}`),
		flagDocument("large", 1, `,"targeting":{"if":[{"$ref":"s15"},"on",{"$ref":"s15"},"on",{"$ref":"s15"},"on"]}`),
		flagDocument("inside", 1, `,"targeting":{"if":[{"some":[[{"a":1}],{"$ref":"s15"}]},"on",{"some":[[1],{"$ref":"s15"}]},"on",{"some":[[1],{"$ref":"s15"}]},"on"]}`))
	r, reasons := refused(t, New(), documents...)
	wantAnswer(t, r, "plain", `{"a":1}`, "TARGETING_MATCH on")
	for _, key := range []string{"flag large", "flag inside", "segment s39"} {
		kind, name, _ := strings.Cut(key, " ")
		found := false
		for _, p := range r.Problems() {
			found = found || string(p.Kind) == kind && p.Key == name && p.Hint != ""
		}
		if !found {
			t.Errorf("%s was not refused: %q", key, reasons)
		}
	}
	r, _ = New().Update(append(documents, settingsDocument(`{"compatibility":"flagd"}`)))
	wantAnswer(t, r, "plain", `{"a":1}`, "TARGETING_MATCH on")
	wantAnswer(t, r, "large", `{"a":1}`, "ERROR PARSE_ERROR")
}

// TestEvaluationEnds evaluates rules that are small and would take for ever, or all memory.
func TestEvaluationEnds(t *testing.T) {
	const ten = `[1,2,3,4,5,6,7,8,9,10]`
	thousand := `[` + strings.Repeat(`1,`, 999) + `1]`
	double := `{"cat":[{"var":"accumulator"},{"var":"accumulator"}]}`
	for name, rule := range map[string]string{
		"iterations": nested(`{"map":[`+ten+`,%]}`, `{"+":[1,1]}`, 20),
		"conditions": nested(`{"none":[`+ten+`,%]}`, `{"==":[1,2]}`, 21),
		"text":       `{"reduce":[` + thousand + `,` + double + `,"x"]}`,
		"substrings": `{"reduce":[` + thousand + `,{"substr":[` + double + `,0]},"x"]}`,
		"merged":     `{"map":[` + thousand + `,{"merge":[` + thousand + `,{"var":""},` + thousand + `]}]}`,
		"lists":      `{"map":[` + thousand + `,{"map":[` + thousand + `,[{"var":""},{"var":""},{"var":""}]]}]}`,
	} {
		r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), flagDocument("a", 1, `,"targeting":`+rule))
		if got := evaluate(t, r, "a", nil); got.ErrorCode != ErrorParse || !strings.Contains(got.Detail, "the limit is 1000000 nodes") {
			t.Errorf("%s: got %s %s", name, got.ErrorCode, got.Detail)
		}
		if again := evaluate(t, r, "a", nil); again.ErrorCode != ErrorParse {
			t.Errorf("%s: the second evaluation answered %s", name, again.Reason)
		}
	}
	r := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"some":[`+thousand+`,{"none":[`+ten+`,{"==":[{"var":""},11]}]}]},"on"]}`))
	var c Context
	for range 100_000 { // What one evaluation spends is not counted against the next.
		if got := r.Flag("a").Evaluate(&c, testTime); got.ErrorCode != "" {
			t.Fatalf("got %s", got.Detail)
		}
	}
}
