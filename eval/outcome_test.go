package eval

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
)

// neverAnswering are rules of a flag with the variants on and off that fail, or choose nothing, for some contexts whatever their
// attributes are; with the place and the beginning of the reason.
var neverAnswering = []struct{ name, rule, pointer, reason string }{
	{"an unknown text as the rule", `"onn"`, "", `the variant "onn" does not exist`},
	{"a number as the rule", `5`, "", "a rule cannot answer the number 5"},
	{"a boolean as the rule", `true`, "", "a rule cannot answer true"},
	{"a list as the rule", `["on"]`, "", "a rule cannot answer a list"},
	{"an empty list as the rule", `[]`, "", "a rule cannot answer a list"},
	{"several operators as the rule", `{"if":[true,"on"],"fractional":[["on",1]]}`, "", "a rule has one operator, this one has if, fractional"},
	{"several members that are no operators", `{"a":1,"b":2}`, "", "a rule cannot answer an object"},
	{"several operators in a condition", `{"if":[{"==":[1,1],"in":["a","b"]},"on"]}`, "/if/0", "a rule has one operator"},
	{"an operator and something else", `{"if":[{"var":"x"},{"$ref":"employees","note":1}]}`, "/if/1", "a rule has one operator"},
	{"several operators as a bucket's variant", `{"fractional":[[{"cat":["on"],"var":"x"},1]]}`, "/fractional/0/0", "a rule has one operator"},
	{"a misspelt variant", `{"if":[{"var":"x"},"onn","off"]}`, "/if/1", `the variant "onn" does not exist`},
	{"a misspelt variant at the end", `{"if":[{"var":"x"},"on","of"]}`, "/if/2", `the variant "of" does not exist`},
	{"a misspelt variant further inside", `{"if":[{"var":"x"},"on",{"?:":[{"var":"y"},"on","of"]}]}`, "/if/2/?:/2", `the variant "of" does not exist`},
	{"a misspelt bucket", `{"fractional":[["on",88],["of",12]]}`, "/fractional/1/0", `the variant "of" does not exist`},
	{"a misspelt bucket after a seed", `{"fractional":[{"var":"email"},["on",88],["of",12]]}`, "/fractional/2/0", `the variant "of" does not exist`},
	{"a misspelt fallback", `{"var":["tier","of"]}`, "/var/1", `the variant "of" does not exist`},
	{"a misspelt end of and", `{"and":[{"var":"x"},"onn"]}`, "/and/1", `the variant "onn" does not exist`},
	{"a misspelt end of or", `{"or":[{"var":"x"},"onn"]}`, "/or/1", `the variant "onn" does not exist`},
	{"a comparison that is false in and", `{"and":[{"==":[{"var":"x"},1]},"on"]}`, "/and/0", "== answers false"},
	{"a comparison that is true in or", `{"or":[{"==":[{"var":"x"},1]},"on"]}`, "/or/0", "== answers true"},
	{"a number as a result", `{"if":[{"var":"x"},1,"off"]}`, "/if/1", "a rule cannot answer the number 1"},
	{"an object as a result", `{"if":[{"var":"x"},{},"off"]}`, "/if/1", "a rule cannot answer an object"},
	{"a boolean as a result", `{"if":[{"var":"x"},true,false]}`, "/if/2", "a rule cannot answer false"},
	{"a misspelt variant of a segment", `{"$ref":"chosen"}`, "", `in the segment "chosen": the variant "gold" does not exist`},
	{"a condition as the rule", `{"in":["@x",{"var":"email"}]}`, "", "in answers false"},
	{"a segment that is a condition", `{"$ref":"employees"}`, "", `in the segment "employees": ends_with answers false`},
	{"arithmetic as the rule", `{"+":[{"var":"x"},1]}`, "", "+ answers a number"},
	{"a list operator as the rule", `{"merge":[{"var":"x"}]}`, "", "merge answers a list"},
	{"an object operator as the rule", `{"set":[{"var":"x"},"a",1]}`, "", "set answers an object"},
	{"all weights zero", `{"fractional":[["on",0],["off",0]]}`, "/fractional", "all weights of fractional are 0"},
	{"all weights zero after a seed", `{"fractional":[{"var":"email"},["on",0],["off",0]]}`, "/fractional", "all weights of fractional are 0"},
	{"all weights zero or less", `{"if":[{"var":"x"},{"fractional":[["on",-1],["off",0]]}]}`, "/if/1/fractional", "all weights of fractional are 0"},
	{"no buckets", `{"fractional":[]}`, "/fractional", "fractional has no buckets"},
	{"arithmetic with what is no number", `{"if":[{"+":[null,1]},"on"]}`, "/if/0/+", "this always fails"},
	{"an argument too few", `{"if":[{"%":[{"var":"x"}]},"on"]}`, "/if/0/%", "% needs exactly 2 arguments"},
	{"no list of arguments", `{"if":[{"in":"x"},"on"]}`, "/if/0/in", "in needs a list of arguments"},
	{"a var that names nothing", `{"if":[{"var":true},"on"]}`, "/if/0/var", "var needs the name of an attribute"},
	{"a var whose name is no text", `{"if":[{"var":[null,1]},"on"]}`, "/if/0/var/0", "var needs the name of an attribute"},
	{"an iteration over no list", `{"if":[{"some":["x",{"==":[{"var":""},1]}]},"on"]}`, "/if/0/some/0", "an iteration needs a list"},
	{"a condition that is a literal", `{"if":[{"all":[{"var":"l"},true]},"on"]}`, "/if/0/all/1", "all needs a condition"},
}

// TestRulesThatNeverAnswer wants each refused in strict mode, and loaded with a warning in compatibility mode.
func TestRulesThatNeverAnswer(t *testing.T) {
	segments := []document.Document{
		segmentDocument("employees", `{"ends_with":[{"var":"email"},"@example.com"]}`),
		segmentDocument("chosen", `{"if":[{"var":"x"},"on","gold"]}`),
	}
	for _, one := range neverAnswering {
		t.Run(one.name, func(t *testing.T) {
			flag := flagDocument("a", 1, `,"targeting":`+one.rule)
			_, problems := apply(t, New(), segments...).Update([]document.Document{flag})
			if found := problemAt(problems, "/targeting"+one.pointer, one.reason); found == nil || found.Warning || found.Hint == "" {
				t.Errorf("strict: %v", problems)
			}
			r, problems := apply(t, New(), append(segments, settingsDocument(`{"compatibility":"flagd"}`))...).Update([]document.Document{flag})
			if found := problemAt(problems, "/targeting"+one.pointer, one.reason); found == nil || found.Hint == "" || problems.Err() != nil {
				t.Errorf("flagd: %v", problems)
			}
			if f := r.Flag("a"); f == nil || f.broken {
				t.Error("flagd: the flag was not loaded")
			}
		})
	}
}

func problemAt(problems Problems, pointer, reason string) *Problem {
	for i, p := range problems {
		if p.Key == "a" && p.Pointer == pointer && strings.HasPrefix(p.Reason, reason) {
			return &problems[i]
		}
	}
	return nil
}

// TestRulesThatAnswer wants no problem with rules that look like those that never answer.
func TestRulesThatAnswer(t *testing.T) {
	for _, one := range []struct{ variants, rule string }{
		{`"on":1,"off":2`, `{"if":[{"var":"x"},"on",null]}`},
		{`"on":1,"off":2`, `{"and":["on","off"]}`},
		{`"on":1,"off":2`, `{"or":[null,"off"]}`},
		{`"on":1,"off":2`, `{"var":"tier"}`},
		{`"on":1,"off":2`, `{"cat":["o",{"var":"tail"}]}`},
		{`"on":1,"off":2`, `{"fractional":[["on",0],["off",{"var":"weight"}]]}`},
		{`"true":1,"false":2`, `{"in":["@x",{"var":"email"}]}`},
		{`"false":1,"on":2`, `{"and":[{"==":[{"var":"x"},1]},"on"]}`},
		{`"1":1,"2":2`, `{"if":[{"var":"x"},1,2]}`},
		{`"1":1,"2":2`, `{"+":[{"var":"x"},1]}`},
		{`"a\"b":1,"c":2`, `{"if":[{"var":"x"},"a\"b","c"]}`},
	} {
		flag := document.Document{Kind: document.KindFlag, Key: "a", Body: []byte(`{"state":"ENABLED","variants":{` + one.variants + `},"targeting":` + one.rule + `}`)}
		if _, problems := New().Update([]document.Document{flag}); len(problems) > 0 {
			t.Errorf("%s: %v", one.rule, problems)
		}
	}
}

// TestASegmentCannotBreakTheFlagsThatAnswerWithIt changes a segment that two flags use as their answer.
func TestASegmentCannotBreakTheFlagsThatAnswerWithIt(t *testing.T) {
	r := apply(t, New(), segmentDocument("chosen", `{"if":[{"var":"x"},"on"]}`), flagDocument("a", 1, `,"targeting":{"$ref":"chosen"}`))
	next, reasons := refused(t, r, segmentDocument("chosen", `{"if":[{"var":"x"},"gold"]}`))
	if len(reasons) != 1 || !strings.HasPrefix(reasons[0], `a/targeting: in the segment "chosen"`) {
		t.Errorf("reasons %q", reasons)
	}
	wantAnswer(t, next, "a", `{"x":1}`, "TARGETING_MATCH on")
}

// fitting makes rules whose operators get what they need from contexts of fitting, and now and then one that can never answer.
type fitting struct{ *rand.Rand }

func (g fitting) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g fitting) condition(depth int) string {
	if depth > 0 && g.IntN(3) == 0 {
		return fmt.Sprintf(`{%q:[%s,%s]}`, g.pick("and", "or"), g.condition(depth-1), g.condition(depth-1))
	}
	return g.pick(`{"==":[{"var":"text"},"a"]}`, `{"!=":[{"var":"number"},2]}`, `{"<":[{"var":"number"},2]}`, `{">=":[{"+":[{"var":"number"},1]},2]}`,
		`{"in":[{"var":"text"},["a","b"]]}`, `{"in":["a",{"var":"texts"}]}`, `{"!":[{"var":"flag"}]}`, `{"!!":{"var":"flag"}}`, `{"var":"flag"}`,
		`{"starts_with":[{"var":"text"},"a"]}`, `{"ends_with":[{"var":"text"},"b"]}`, `{"sem_ver":[{"var":"version"},">","1.0.0"]}`,
		`{"some":[{"var":"texts"},{"==":[{"var":""},"a"]}]}`, `{"none":[{"var":"texts"},{"in":[{"var":""},["b"]]}]}`, `{"all":[{"var":"texts"},{"!=":[{"var":""},"c"]}]}`,
		`{"missing":["text","absent"]}`, `{"missing_some":[1,["text","absent"]]}`, `{"contains_any":[{"var":"texts"},["a"]]}`, `{"$ref":"employees"}`,
		`{"<":[{"reduce":[{"var":"numbers"},{"+":[{"var":"current"},{"var":"accumulator"}]},0]},3]}`, `{"==":[{"substr":[{"var":"text"},0,1]},"a"]}`,
		`{"==":[{"cat":[{"var":"text"},{"var":"number"}]},"a1"]}`, `{"filter":[{"var":"numbers"},{">":[{"var":""},1]}]}`, `{"in":["x",{"map":[{"var":"texts"},{"cat":[{"var":""},"x"]}]}]}`,
		`{"<":[{"var":"$flagd.timestamp"},5]}`, `{"%":[{"var":"number"},2]}`, `{"max":[{"var":"number"},0]}`)
}

func (g fitting) mistake() string {
	return g.pick(`"onn"`, `1`, `true`, `[]`, `{"if":[true,"on"],"and":[1]}`, `{"==":[{"var":"text"},"a"]}`, `{"fractional":[["on",0]]}`, `{"fractional":[["on",1],["of",1]]}`,
		`{"$ref":"employees"}`, `{"+":[{"var":"number"},1]}`, `{"merge":[{"var":"texts"}]}`, `{"var":["absent","of"]}`, `{"and":[{"var":"flag"},{"!":[{"var":"flag"}]}]}`)
}

func (g fitting) answer(depth int) string {
	switch n := g.IntN(20); {
	case n == 0:
		return g.mistake()
	case depth > 0 && n < 10:
		return fmt.Sprintf(`{%q:[%s,%s,%s]}`, g.pick("if", "?:"), g.condition(2), g.answer(depth-1), g.answer(depth-1))
	case depth > 0 && n < 14:
		return fmt.Sprintf(`{"fractional":[%s[%s,%d],[%s]]}`, g.pick("", `{"var":"text"},`, `{"cat":[{"var":"text"},"x"]},`), g.answer(0), g.IntN(3), g.answer(depth-1))
	case n < 16:
		return fmt.Sprintf(`{"or":[null,%s]}`, g.answer(depth-1))
	default:
		return g.pick(`"on"`, `"off"`, `null`, `{"$ref":"chosen"}`, `{"var":["variant","on"]}`)
	}
}

// context has attributes of the types that the conditions need; the variant is one of the flag.
func (g fitting) context(t *testing.T) []byte {
	t.Helper()
	attributes := map[string]any{
		"text": g.pick("", "a", "b", "ab", "é"), "number": float64(g.IntN(7)-3) / 2, "flag": g.IntN(2) == 0, "version": g.pick("1.0.0", "2.3.4", "0.1.0-rc.1"),
		"texts": []string{"a", "b", "c"}[:g.IntN(4)], "numbers": []int{1, 2, 3}[:g.IntN(4)], "variant": g.pick("on", "off"), "email": g.pick("a@example.com", "b@example.org"),
	}
	if g.IntN(4) > 0 {
		attributes["targetingKey"] = fmt.Sprint(g.IntN(1000))
	}
	encoded, err := json.Marshal(attributes)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// TestWhatStrictModeAcceptsAnswers evaluates random rules that strict mode accepts for 10,000 random contexts whose types fit.
func TestWhatStrictModeAcceptsAnswers(t *testing.T) {
	g := fitting{rand.New(rand.NewPCG(13, 13))}
	base := apply(t, New(), segmentDocument("employees", `{"ends_with":[{"var":"email"},"@example.com"]}`), segmentDocument("chosen", `{"if":[{"var":"flag"},"on","off"]}`))
	accepted, matched, rejected := 0, 0, 0
	for contexts := 0; contexts < 10_000; {
		rule := g.answer(3)
		r, problems := base.Update([]document.Document{flagDocument("a", 1, `,"targeting":`+rule)})
		if problems.Err() != nil {
			rejected++
			continue
		}
		accepted++
		for range 10 {
			contexts++
			context := g.context(t)
			got := evaluate(t, r, "a", context)
			if got.ErrorCode != "" {
				t.Fatalf("%s for %s: %s %s", rule, context, got.ErrorCode, got.Detail)
			}
			if got.Reason == ReasonTargetingMatch {
				matched++
			}
		}
	}
	if accepted < 500 || rejected < 100 || matched < 5000 {
		t.Errorf("%d rules accepted, %d refused, %d contexts matched", accepted, rejected, matched)
	}
}
