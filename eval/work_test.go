package eval

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
)

// repeated returns a JSON list that has the same item n times.
func repeated(item string, n int) string {
	return `[` + strings.Repeat(item+`,`, n-1) + item + `]`
}

// quoted returns a JSON string of n bytes.
func quoted(piece string, n int) string { return `"` + strings.Repeat(piece, n/len(piece)) + `"` }

// wideOr is {"or": [...]} with n conditions, none of which holds.
func wideOr(n int) string {
	return `{"or":` + repeated(`{"==":[{"var":""},-1]}`, n) + `}`
}

// allTimesOr is a rule of 146 KB that visits 40,000 elements times 3,000 conditions, but for the condition that fails at first.
func allTimesOr(list string) string {
	return `{"if":[{"all":[` + list + `,{"!":[` + wideOr(3000) + `]}]},"on"]}`
}

func wantExhausted(t *testing.T, got Result) {
	t.Helper()
	if got.ErrorCode != ErrorParse || got.Reason != ReasonError || !strings.Contains(got.Detail, "the limit is ") {
		t.Errorf("got %s %s %q, want the limit", got.Reason, got.ErrorCode, got.Detail)
	}
}

func TestARuleWhoseOwnListsTakeTooMuchIsRefused(t *testing.T) {
	doc := flagDocument("a", 1, `,"targeting":`+allTimesOr(repeated("1", 40_000)))
	_, problems := New().Update([]document.Document{doc})
	if len(problems.fatal()) != 1 {
		t.Fatalf("got %d problems: %v", len(problems), problems)
	}
	p := problems.fatal()[0]
	if p.Pointer != "/targeting/if/0/all" || p.Hint == "" || !strings.Contains(p.Reason, "all may visit ") || !strings.Contains(p.Reason, "the 1000000 that one evaluation") {
		t.Errorf("got %v", p)
	}
	r, problems := New().Update([]document.Document{settingsDocument(`{"compatibility":"flagd"}`), doc})
	if problems.Err() != nil || len(problems) != 1 {
		t.Fatalf("compatibility flagd: got %v, want one warning", problems)
	}
	wantExhausted(t, evaluate(t, r, "a", nil))
	if _, problems := NewWithin(1_000_000_000).Update([]document.Document{doc}); problems.Err() != nil {
		t.Errorf("within a higher limit: %v", problems)
	}
}

func TestALimitHoldsForFiles(t *testing.T) {
	file := []byte(`{"flags":{"a":{"state":"ENABLED","variants":{"on":true},"targeting":{"if":[{"some":[` + repeated("1", 100) + `,` + wideOr(10) + `]},"on"]}}}}`)
	if _, problems := ParseFile(file, ""); problems.Err() != nil {
		t.Error(problems)
	}
	_, problems := NewWithin(1000).ParseFile(file, "")
	if problems.Err() == nil || problems[0].Line != 1 || problems[0].Column == 0 || problems[0].Pointer != "/targeting/if/0/some" {
		t.Errorf("got %v", problems)
	}
}

// TestAttributesThatTakeTooMuchEndTheEvaluation has one rule of each kind of work that depends on the context.
func TestAttributesThatTakeTooMuchEndTheEvaluation(t *testing.T) {
	numbers := repeated("1", 60_000)
	long := quoted("7", 400_000)
	twice := `"long":` + long + `,"same":` + long
	members := make(map[string]int)
	for i := range 50_000 {
		members[fmt.Sprintf("m%d", i)] = i
	}
	object, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	// times evaluates something n times in a row, without an iteration.
	times := func(n int, condition string) string {
		return `{"or":` + repeated(`{"===":[`+condition+`,"never"]}`, n) + `}`
	}
	list, texts := `{"list":`+numbers+`}`, `{`+twice+`}`
	for name, one := range map[string]struct{ rule, context string }{
		"all":              {allTimesOr(`{"var":"list"}`), list},
		"some":             {`{"some":[{"var":"list"},` + wideOr(100) + `]}`, list},
		"none":             {`{"none":[{"var":"list"},` + wideOr(100) + `]}`, list},
		"filter":           {`{"filter":[{"var":"list"},` + wideOr(100) + `]}`, list},
		"map":              {`{"map":[{"var":"list"},` + wideOr(100) + `]}`, list},
		"reduce":           {`{"reduce":[{"var":"list"},{"if":[` + strings.ReplaceAll(wideOr(100), `""`, `"current"`) + `,1,1]},0]}`, list},
		"nested":           {`{"some":[{"var":"lists"},{"some":[{"var":""},{"some":[{"var":""},` + wideOr(5) + `]}]}]}`, `{"lists":` + repeated(repeated(repeated("1", 60), 60), 60) + `}`},
		"list inside":      {`{"map":[{"var":"list"},[{"var":""},1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]]}`, list},
		"few bytes":        {`{"some":[{"var":"list"},{"some":[{"var":"list"},{"contains_any":[{"var":"list"},["x","y","z"]]}]}]}`, `{"list":` + repeated("1", 4000) + `}`},
		"in a list":        {times(50, `{"in":[2,{"var":"list"}]}`), list},
		"in a text":        {times(50, `{"in":["8",{"var":"long"}]}`), texts},
		"in a set":         {times(50, `{"in":[{"var":"long"},["a","b"]]}`), texts},
		"contains_any":     {`{"contains_any":[{"var":"list"},{"var":"other"}]}`, `{"list":` + numbers + `,"other":` + repeated("2", 60_000) + `}`},
		"contains_all":     {`{"contains_all":[{"var":"list"},{"var":"other"}]}`, `{"list":` + repeated("1", 30_000)[:60_000] + `,2],"other":` + repeated("2", 60_000) + `}`},
		"merge":            {`{"merge":` + repeated(`{"var":"list"}`, 50) + `}`, list},
		"set":              {times(50, `{"set":[{"var":"o"},"m1",2]}`), `{"o":` + string(object) + `}`},
		"cat":              {times(50, `{"cat":[{"var":"long"},"x"]}`), texts},
		"substr":           {times(50, `{"substr":[{"var":"long"},1,2]}`), texts},
		"sem_ver":          {times(50, `{"sem_ver":[{"var":"long"},"=","1.0.0"]}`), texts},
		"sem_ver computed": {times(50, `{"sem_ver":[{"var":"long"},"=",{"var":"same"}]}`), texts},
		"equal texts":      {times(50, `{"!=":[{"var":"long"},{"var":"same"}]}`), texts},
		"order of texts":   {times(50, `{"<":[{"var":"long"},{"var":"same"}]}`), texts},
		"order of three":   {times(50, `{"<":[{"var":"long"},{"var":"same"},{"var":"long"}]}`), texts},
		"time":             {times(50, `{"<":[{"var":"$flagd.timestamp"},{"cat":[{"var":"long"}]}]}`), texts},
		"starts_with":      {times(50, `{"starts_with":[{"var":"long"},{"var":"same"}]}`), texts},
		"arithmetic":       {times(50, `{"-":[{"var":"long"},{"var":"same"}]}`), texts},
		"one number":       {times(50, `{"+":{"var":"long"}}`), texts},
		"seed":             {times(50, `{"fractional":[{"var":"long"},["on",1]]}`), texts},
		"targeting key":    {times(50, `{"fractional":[["on",1]]}`), `{"targetingKey":` + long + `}`},
		"buckets":          {times(50, `{"fractional":{"var":"buckets"}}`), `{"targetingKey":"u","buckets":` + repeated(`["",1]`, 60_000) + `}`},
		"missing":          {times(50, `{"missing":{"var":"names"}}`), `{"names":` + repeated(`"x"`, 60_000) + `}`},
		"missing_some":     {times(50, `{"missing_some":[1,{"var":"names"}]}`), `{"names":` + repeated(`"x"`, 60_000) + `}`},
		"computed name":    {times(50, `{"var":{"var":"name"}}`), `{"name":` + quoted("a.", 400_000) + `}`},
		"members":          {`{"some":[[1],{"and":` + repeated(`{"var":".x"}`, 2) + `}]}`, `{}`},
		"members of many":  {`{"none":[{"var":"objects"},{"or":` + repeated(`{"var":".x"}`, 50) + `}]}`, `{"objects":[` + string(object) + `]}`},
		"result":           {`{"merge":` + repeated(`{"var":"long"}`, 50) + `}`, texts},
		"result of texts":  {`{"map":[{"var":"list"},{"cat":["` + strings.Repeat("x", 60) + `",{"var":""}]}]}`, list},
	} {
		t.Run(name, func(t *testing.T) {
			for _, settings := range []string{`{}`, `{"compatibility":"flagd"}`} {
				r := apply(t, New(), settingsDocument(settings), answeringDocument("a", one.rule))
				got := evaluate(t, r, "a", []byte(one.context))
				if name == "members" { // the control: it takes next to nothing
					if got.ErrorCode == ErrorParse {
						t.Error(got.Detail)
					}
					return
				}
				wantExhausted(t, got)
				c := new(Context)
				if err := r.DecodeContext(c, []byte(one.context)); err != nil {
					t.Fatal(err)
				}
				explained := r.Flag("a").Explain(c, testTime)
				wantExhausted(t, explained.Result)
				if explained.ErrorCode != ErrorParse || explained.Variant != "" {
					t.Errorf("the explanation says %s %s", explained.ErrorCode, explained.Variant)
				}
			}
		})
	}
}

// TestADistributionThatIsASeedIsDrawnOnce nests distributions in the place of seeds. Drawing again for each would be 2^50.
func TestADistributionThatIsASeedIsDrawnOnce(t *testing.T) {
	rule := nested(`{"fractional":[%,[7,1]]}`, `{"var":"absent"}`, 100)
	r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), flagDocument("a", 1, `,"targeting":`+rule))
	var c Context
	if err := r.DecodeContext(&c, []byte(`{"targetingKey":"u"}`)); err != nil {
		t.Fatal(err)
	}
	explained := r.Flag("a").Explain(&c, testTime)
	if explained.Truncated {
		t.Error("the distributions were drawn more than 10,000 times")
	}
}

// TestTheWorkOfPrerequisitesAddsUp shares a large segment among many flags of one closure.
func TestTheWorkOfPrerequisitesAddsUp(t *testing.T) {
	rule := `,"targeting":{"if":[{"$ref":"large"},"off","on"]}`
	documents := []document.Document{segmentDocument("large", `{"or":`+repeated(`{"==":[{"var":"plan"},"x"]}`, 10_000)+`}`)}
	for i := range 30 {
		more := ""
		if i > 0 {
			more = prerequisites(prerequisite1(fmt.Sprintf("f%02d", i-1), "on"))
		}
		documents = append(documents, flagDocument(fmt.Sprintf("f%02d", i), 1, rule+more))
	}
	r, reasons := refused(t, New(), documents...)
	if !strings.Contains(strings.Join(reasons, "\n"), "/prerequisites/0: the flag and its prerequisites may visit ") {
		t.Errorf("got %q", reasons)
	}
	wantAnswer(t, r, "f01", `{}`, "TARGETING_MATCH on")
	if got := evaluate(t, apply(t, NewWithin(10_000_000), documents...), "f29", nil); got.Reason != ReasonTargetingMatch {
		t.Errorf("within a higher limit: %s %s", got.Reason, got.Detail)
	}
}

// TestAPrerequisiteThatTakesTooMuchIsNotOff spends together what neither flag spends alone: the answer is the limit, not the off variant.
func TestAPrerequisiteThatTakesTooMuchIsNotOff(t *testing.T) {
	rule := `,"targeting":{"if":[{"none":[{"var":"list"},` + wideOr(5) + `]},"on"]}`
	r := apply(t, New(), flagDocument("first", 1, rule), flagDocument("second", 1, rule+prerequisites(prerequisite1("first", "on"))),
		flagDocument("third", 1, onForEverybody+prerequisites(prerequisite1("second", "on"))))
	context := []byte(`{"list":` + repeated("1", 40_000) + `}`)
	if got := evaluate(t, r, "first", context); got.Reason != ReasonTargetingMatch {
		t.Fatalf("first: %s %s", got.Reason, got.Detail)
	}
	wantExhausted(t, evaluate(t, r, "second", context))
	wantExhausted(t, evaluate(t, r, "third", context))
}

// TestALastGoodVersionIsBoundToo makes the prerequisite of a flag so expensive that the flag is refused. Its last good version answers with
// the new prerequisite, so the limit has to hold for both together.
func TestALastGoodVersionIsBoundToo(t *testing.T) {
	rule := func(n int) string {
		return `,"targeting":{"if":[{"or":` + repeated(`{"==":[{"var":"plan"},"x"]}`, n) + `},"off","on"]}`
	}
	r := apply(t, NewWithin(1000), flagDocument("a", 1, rule(10)), flagDocument("b", 1, rule(10)+prerequisites(prerequisite1("a", "on"))))
	wantAnswer(t, r, "b", `{}`, "TARGETING_MATCH on")
	r, reasons := refused(t, r, flagDocument("a", 2, rule(240)))
	if len(reasons) != 1 || !strings.HasPrefix(reasons[0], "b/prerequisites/0: ") {
		t.Errorf("refused: %q", reasons)
	}
	wantAnswer(t, r, "a", `{}`, "TARGETING_MATCH on")
	wantExhausted(t, evaluate(t, r, "b", nil))
}

// TestWorkCoversWhatIsVisited compares what random rules are charged with the nodes that an explanation saw them visit.
func TestWorkCoversWhatIsVisited(t *testing.T) {
	for seed := range uint64(20_000) {
		g := newGenerator(seed)
		rule, context := g.operation(1+g.IntN(4), false), g.context()
		limit := 1 + g.IntN(200)
		r, _ := NewWithin(limit).Update([]document.Document{
			settingsDocument(`{"compatibility":"flagd"}`), flagDocument("a", 1, `,"targeting":`+string(marshal(t, rule))),
		})
		var c Context
		if err := r.DecodeContext(&c, marshal(t, context)); err != nil {
			t.Fatal(err)
		}
		visited, exhausted := visits(r.Flag("a"), &c)
		if visited > c.Work() || visited > limit || exhausted != (c.left < 0) {
			t.Fatalf("seed %d: visited %d nodes, charged for %d of %d, exhausted %v: %s", seed, visited, c.Work(), limit, exhausted, marshal(t, rule))
		}
	}
}

// visits explains f and returns how many nodes that visited.
func visits(f *Flag, c *Context) (visited int, exhausted bool) {
	seen := new(trace)
	explained := f.explainWith(c, testTime, seen)
	return seen.count, strings.Contains(explained.Detail, "the limit is ")
}

// TestDecodingAContextTakesNoMoreThanItHas reads many attributes below one: of an object with many members, and of a member that is named
// again and again, which only the leniency of flagd allows.
func TestDecodingAContextTakesNoMoreThanItHas(t *testing.T) {
	var reads []string
	for i := range 8000 {
		reads = append(reads, fmt.Sprintf(`{"var":"a.m%d"}`, i))
	}
	rule := `,"targeting":{"if":[{"or":[` + strings.Join(reads, ",") + `]},"on"]}`
	r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), flagDocument("a", 1, rule))
	var c Context
	again := `{` + strings.Repeat(`"a":{"m1":0},`, 70_000) + `"a":{"m2":1}}`
	if err := r.DecodeContext(&c, []byte(again)); err == nil || !strings.Contains(err.Error(), "again too often") {
		t.Errorf("got %v", err)
	}
	few := `{` + strings.Repeat(`"a":{"m1":1},`, 100) + `"a":{"m2":0}}`
	wantAnswer(t, r, "a", few, "DEFAULT off") // m1 of the former members is forgotten
	members := make(map[string]int)
	for i := range 50_000 {
		members[fmt.Sprintf("m%d", i+7999)] = 1
	}
	wantAnswer(t, r, "a", string(marshal(t, map[string]any{"a": members})), "TARGETING_MATCH on")
}
