package eval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// explained returns the explanation of a flag as indented JSON.
func explained(t testing.TB, r *Ruleset, key, context string) string {
	t.Helper()
	var c Context
	if err := r.DecodeContext(&c, []byte(context)); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.MarshalIndent(r.Flag(key).Explain(&c, testTime), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestExplainTellsThePath(t *testing.T) {
	r := apply(t, New(),
		segmentDocument("employees", `{"ends_with":[{"var":"email"},"@example.com"]}`),
		flagDocument("base", 3, `,"targeting":{"if":[{"$ref":"employees"},"on"]}`),
		flagDocument("a", 7, prerequisites(prerequisite1("base", "on"))+
			`,"targeting":{"if":[{"==":["pro",{"var":"plan"}]},"off",{"fractional":[["on",25],["off",75]]}]}`))
	got := explained(t, r, "a", `{"targetingKey":"jon","email":"jon@example.com","plan":"free"}`)
	want := strings.TrimSpace(string(readTestdata(t, "explanation.json")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explanation (-want +got):\n%s\n%s", diff, got)
	}
}

func TestExplainStopsAtTheFirstUnmetPrerequisite(t *testing.T) {
	r := apply(t, New(), flagDocument("x", 1, ""), flagDocument("y", 1, ""),
		flagDocument("a", 1, onForEverybody+prerequisites(prerequisite1("x", "off"), prerequisite1("y", "on"), prerequisite1("x", "off"))))
	e := r.Flag("a").Explain(nil, testTime)
	var met []bool
	for _, p := range e.Prerequisites {
		met = append(met, p.Met)
	}
	if !slices.Equal(met, []bool{true, false}) || e.Rule != nil || e.Prerequisites[1].Explanation.Flag != "y" || e.Reason != ReasonDefault {
		t.Errorf("%+v", e)
	}
}

// TestExplainNamesEveryOperator evaluates each operator with attributes and looks for its name, inputs and result.
func TestExplainNamesEveryOperator(t *testing.T) {
	const x, list = `{"var":"x"}`, `{"var":"list"}`
	cases := map[string]string{
		"==": x + `,1`, "===": x + `,"1"`, "!=": x + `,"1"`, "!==": x + `,2`, "<": x + `,2`, "<=": `0,` + x + `,2`, ">": x + `,{"var":"$flagd.timestamp"}`,
		">=": x + `,2`, "+": x + `,2`, "-": x + `,2`, "*": x + `,2`, "/": x + `,2`, "%": x + `,2`, "abs": x, "min": x + `,2`, "max": x + `,2`,
		"!": x, "!!": x, "and": x + `,2`, "or": x + `,2`, "if": x + `,2`, "in": x + `,[1,2]`, "merge": x + `,2`, "cat": x + `,2`, "substr": x + `,0,1`,
		"set": `{"var":"o"},"a",1`, "contains_all": list + `,[1]`, "contains_any": list + `,[1]`, "contains_none": list + `,[1]`,
		"starts_with": x + `,"a"`, "ends_with": x + `,"a"`, "sem_ver": x + `,">","1.0.0"`, "fractional": x + `,["a",1]`,
		"var": `"x",5`, "missing": `"x","q"`, "missing_some": `1,["x"]`,
		"filter": list + `,{"==":[{"var":""},1]}`, "map": list + `,{"*":[{"var":""},2]}`, "reduce": list + `,{"+":[{"var":"current"},{"var":"accumulator"}]},0`,
		"all": list + `,{"==":[{"var":""},1]}`, "some": list + `,{"==":[{"var":""},1]}`, "none": list + `,{"==":[{"var":""},1]}`,
		"$ref": "",
	}
	for operator := range strings.SplitSeq(operatorNames, ", ") {
		arguments, ok := cases[operator]
		switch {
		case operator == "?:": // It is the other name of if.
			continue
		case !ok:
			t.Errorf("%s is not tested", operator)
			continue
		}
		rule := fmt.Sprintf(`{%q:[%s]}`, operator, arguments)
		if operator == "$ref" {
			rule = `{"$ref":"s"}`
		}
		r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), segmentDocument("s", `{"!":[`+x+`]}`), flagDocument("a", 1, `,"targeting":`+rule))
		var c Context
		if err := r.DecodeContext(&c, []byte(`{"x":"1","list":[1,2],"o":{"b":1}}`)); err != nil {
			t.Fatal(err)
		}
		step := r.Flag("a").Explain(&c, testTime).Rule
		if step == nil || step.Operator != operator || len(step.Inputs) == 0 || len(step.Result) == 0 || step.Error != "" {
			t.Errorf("%s: %+v", operator, step)
		}
	}
}

func TestExplainBoundsItsSize(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"some":[{"var":"list"},{"==":[{"var":""},{"var":"name"}]}]},"on",{"var":"text"}]}`))
	var c Context
	long := fmt.Sprintf(`{"list":[%s1],"text":%q}`, strings.Repeat("1,", 9999), strings.Repeat("x", 5000))
	if err := r.DecodeContext(&c, []byte(long)); err != nil {
		t.Fatal(err)
	}
	e := r.Flag("a").Explain(&c, testTime)
	if encoded, err := json.Marshal(e); err != nil || !e.Truncated || len(encoded) > maxSteps*200 || e.ErrorCode != ErrorGeneral {
		t.Errorf("%v, truncated %v, %d bytes, %s", err, e.Truncated, len(encoded), e.Detail)
	}
}

func TestExplainShowsErrorsAndTime(t *testing.T) {
	limit := testTime.Unix() + 60
	r := apply(t, New(), flagDocument("a", 1, fmt.Sprintf(`,"targeting":{"if":[{"<":[{"var":"$flagd.timestamp"},%d]},{"cat":[true,{"var":"x"}]}]}`, limit)))
	e := r.Flag("a").Explain(nil, testTime)
	if e.ErrorCode != ErrorParse || e.Rule.Error == "" || e.Detail != e.Rule.Error || !e.TimeDependent || !e.ValidUntil.Equal(time.Unix(limit, 0)) {
		t.Errorf("%+v", e)
	}
}

// explainDifference compares Explain with Evaluate for one flag and returns a description of the difference, or nothing.
func explainDifference(t testing.TB, r *Ruleset, f *Flag, context []byte) string {
	t.Helper()
	var c Context
	if err := r.DecodeContext(&c, context); err != nil {
		return ""
	}
	want := f.Evaluate(&c, testTime)
	e := f.Explain(&c, testTime)
	again := f.Evaluate(&c, testTime)
	got := e.Result
	if got.Flag != want.Flag || got.Variant != want.Variant || got.Reason != want.Reason || got.ErrorCode != want.ErrorCode ||
		got.Detail != want.Detail || string(got.Metadata) != string(want.Metadata) || got.TimeDependent != want.TimeDependent ||
		!got.ValidUntil.Equal(want.ValidUntil) || again.Variant != want.Variant || again.Reason != want.Reason {
		return fmt.Sprintf("%s\n%s\nexplained %+v\nevaluated %+v\nagain %+v", f.Document(), context, got, want, again)
	}
	if encoded, err := json.Marshal(e); err != nil || !json.Valid(encoded) {
		return fmt.Sprintf("%s\n%s\n%v", f.Document(), context, err)
	}
	return ""
}

// explainable returns flags with random rules and prerequisites among each other.
func (g generator) explainable(t testing.TB) *Ruleset {
	t.Helper()
	var documents []document.Document
	for i := range 3 {
		rule, err := json.Marshal(g.operation(3, false))
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			rule = fmt.Appendf(nil, `{"if":[{"$ref":"segment"},"on",%s]}`, rule)
		}
		more := `,"targeting":` + string(rule)
		if i > 0 {
			more += prerequisites(prerequisite1(fmt.Sprintf("f%d", i-1), "on", "off"))
		}
		documents = append(documents, flagDocument(fmt.Sprintf("f%d", i), uint64(i), more))
	}
	rule, err := json.Marshal(g.operation(2, false))
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, segmentDocument("segment", string(rule)), settingsDocument(`{"compatibility":`+g.pick(`""`, `"flagd"`)+`}`))
	r, _ := New().Update(documents)
	return r
}

func TestExplainEqualsEvaluate(t *testing.T) {
	explainedRules := 0
	for seed := range uint64(3000) {
		g := newGenerator(seed)
		r, context := g.explainable(t), marshal(t, g.context())
		for _, f := range r.Flags() {
			if difference := explainDifference(t, r, f, context); difference != "" {
				t.Fatalf("seed %d: %s", seed, difference)
			}
			if f.rule != nil {
				explainedRules++
			}
		}
	}
	if explainedRules < 3000 {
		t.Errorf("only %d rules were explained", explainedRules)
	}
}

// FuzzExplain compares Explain with Evaluate for the flags that a seed makes, and for a rule and a context given as text.
func FuzzExplain(f *testing.F) {
	f.Add(uint64(1), []byte(`{"if":[{"in":[{"var":"a"},["a","b"]]},"on"]}`), []byte(`{"a":"b"}`))
	f.Add(uint64(2), []byte(`{"fractional":[{"var":"n"},["on",1],["off",{"var":"n"}]]}`), []byte(`{"targetingKey":"x","n":3}`))
	f.Add(uint64(3), []byte(`{"reduce":[{"var":"l"},{"cat":[{"var":"accumulator"},{"var":"current"}]},""]}`), []byte(`{"l":["o","n"]}`))
	f.Fuzz(func(t *testing.T, seed uint64, rule, context []byte) {
		g := newGenerator(seed)
		made := g.explainable(t)
		for _, flag := range made.Flags() {
			if difference := explainDifference(t, made, flag, marshal(t, g.context())); difference != "" {
				t.Fatal(difference)
			}
		}
		if !json.Valid(rule) {
			return
		}
		for _, settings := range []string{`{}`, `{"compatibility":"flagd"}`} {
			r, _ := New().Update([]document.Document{settingsDocument(settings), flagDocument("a", 1, `,"targeting":`+string(rule))})
			if difference := explainDifference(t, r, r.Flag("a"), context); difference != "" {
				t.Fatal(difference)
			}
		}
	})
}

// TestExplanationsStaySmall shows a long value in each of many steps.
func TestExplanationsStaySmall(t *testing.T) {
	r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), flagDocument("a", 1, `,"targeting":{"or":`+repeated(`{"===":[{"var":"text"},"never"]}`, 4000)+`}`))
	var c Context
	if err := r.DecodeContext(&c, []byte(`{"text":`+quoted("x", 4000)+`}`)); err != nil {
		t.Fatal(err)
	}
	explained := r.Flag("a").Explain(&c, testTime)
	encoded, err := json.Marshal(explained)
	if err != nil || len(encoded) > 2*maxShownInAll || !explained.Truncated {
		t.Errorf("%d bytes, truncated %v, %v", len(encoded), explained.Truncated, err)
	}
}
