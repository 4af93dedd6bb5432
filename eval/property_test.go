package eval

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"

	"github.com/flagside/flagside/document"
)

// generator makes random rules and contexts that meet each other often.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g generator) literal() any {
	switch g.IntN(9) {
	case 0:
		return nil
	case 1:
		return g.IntN(2) == 0
	case 2, 3:
		return float64(g.IntN(5) - 1)
	case 4:
		return []any{1.5, -2.25, 1e21, 1e-7, 100000000.0}[g.IntN(5)]
	case 5:
		return []any{}
	case 6:
		return []any{g.literal(), g.literal()}
	default:
		return g.pick("", "a", "b", "1", "2.5", " x ", "abc", "é日", "1.2.3", "v2.0.0-rc.1", "on", "off")
	}
}

func (g generator) name(inside bool) string {
	if inside && g.IntN(3) > 0 {
		return g.pick("", ".q", "q", "k", "a", "n", "x.y", "current", "accumulator", "current.q", "0")
	}
	return g.pick("a", "b", "n", "s", "list", "objects", "o", "o.x", "o.y.z", "list.0", "objects.0.q", "missing", "targetingKey",
		"$flagd.flagKey", "$flagd.timestamp", "", ".a", "a..b", "list.x")
}

func (g generator) variable(inside bool) any {
	name := g.name(inside)
	switch g.IntN(9) {
	case 0:
		return map[string]any{"var": []any{name, g.literal()}}
	case 1:
		return map[string]any{"var": []any{name}}
	case 2:
		if !inside {
			return map[string]any{"var": g.rule(1, false)}
		}
	}
	return map[string]any{"var": name}
}

func (g generator) rule(depth int, inside bool) any {
	switch n := g.IntN(10); {
	case n < 2 || depth <= 0 && n < 6:
		return g.variable(inside)
	case n < 4 || depth <= 0:
		return g.literal()
	default:
		return g.operation(depth, inside)
	}
}

func (g generator) rules(n, depth int, inside bool) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = g.rule(depth, inside)
	}
	return out
}

func (g generator) operation(depth int, inside bool) any {
	name := g.pick("==", "!=", "===", "!==", "<", "<=", ">", ">=", "+", "*", "max", "min", "%", "-", "/", "abs", "!", "!!", "in", "in", "merge",
		"cat", "cat", "substr", "set", "contains_all", "contains_any", "contains_none", "starts_with", "ends_with", "sem_ver", "fractional",
		"fractional", "and", "or", "if", "if", "?:", "missing", "missing_some", "filter", "map", "reduce", "all", "none", "some", "nope")
	return map[string]any{name: g.arguments(name, depth-1, inside)}
}

func (g generator) arguments(name string, depth int, inside bool) any {
	switch name {
	case "!", "!!", "abs", "+", "cat", "merge":
		if g.IntN(6) == 0 {
			return g.rule(depth, inside)
		}
		return g.rules(g.IntN(3), depth, inside)
	case "-", "/", "*", "max", "min":
		return g.rules(1+g.IntN(3), depth, inside)
	case "and", "or", "if", "?:":
		return g.rules(g.IntN(5), depth, inside)
	case "in":
		if g.IntN(2) == 0 {
			return []any{g.rule(depth, inside), []any{g.literal(), g.literal(), g.literal()}}
		}
		return g.rules(2, depth, inside)
	case "sem_ver":
		return []any{g.rule(depth, inside), g.pick("=", "!=", "<", "<=", ">", ">=", "^", "~", "x"), g.pick("1.2.3", "v1.2", "1", "2.0.0-rc.1", "x")}
	case "fractional":
		return g.shares(depth, inside)
	case "missing":
		return []any{g.name(inside), g.name(inside), g.literal()}[:g.IntN(4)]
	case "missing_some":
		return []any{g.literal(), []any{g.name(inside), g.name(inside)}}
	case "filter", "map", "all", "none", "some":
		return []any{g.subject(depth), g.body(name, depth)}
	case "reduce":
		return []any{g.subject(depth), g.body(name, depth), g.literal()}
	case "substr":
		return []any{g.rule(depth, inside), float64(g.IntN(7) - 3), float64(g.IntN(7) - 3)}[:1+g.IntN(3)]
	default:
		return g.rules(1+g.IntN(3), depth, inside)
	}
}

// subject is the list of an iteration. It is a path only where the iteration is not inside another one.
func (g generator) subject(depth int) any {
	if g.IntN(3) == 0 {
		return []any{g.literal(), g.literal(), g.literal()}
	}
	return map[string]any{"var": g.pick("list", "objects", "objects")}
}

// body is the body of an iteration. A bare var in reduce is left out: inside other iterations it depends on their data.
func (g generator) body(name string, depth int) any {
	if name == "reduce" {
		return map[string]any{"cat": g.rules(2, depth, true)}
	}
	return g.rule(depth, true)
}

func (g generator) shares(depth int, inside bool) any {
	out := []any{}
	switch g.IntN(4) {
	case 0:
		out = append(out, g.rule(depth, inside))
	case 1:
		out = append(out, map[string]any{"var": g.pick("targetingKey", "s", "missing")})
	}
	for range g.IntN(4) {
		share := []any{g.pick("on", "off", "a"), float64(g.IntN(100))}
		switch g.IntN(6) {
		case 0:
			share = share[:1]
		case 1:
			share[1] = g.literal()
		case 2:
			share[g.IntN(2)] = g.rule(depth, inside)
		}
		out = append(out, share)
	}
	return out
}

func (g generator) context() map[string]any {
	all := map[string]any{
		"a": g.literal(), "b": g.literal(), "n": float64(g.IntN(9)) / 2, "s": g.pick("x", "1.2.3", " pad ", "ünï\n\"q\""),
		"list": []any{g.literal(), g.literal(), g.literal()},
		"objects": []any{
			map[string]any{"q": g.literal(), "k": g.literal()},
			map[string]any{"x": map[string]any{"y": 2.0, "z": 1.0}, "targetingKey": "inner", "q": g.literal()},
		},
		"o":            map[string]any{"x": g.literal(), "y": map[string]any{"z": g.literal(), "w": 1.0}},
		"targetingKey": g.pick("user-1", "user-2", ""),
		"unused":       map[string]any{"deep": []any{1.0, map[string]any{}}},
		"$flagd":       map[string]any{"flagKey": "forged", "timestamp": 1.0},
	}
	for name := range all {
		if g.IntN(5) == 0 {
			delete(all, name)
		}
	}
	return all
}

// disagreement compares the compiled rule with the model and returns a description of the difference, or nothing.
func disagreement(t *testing.T, rule any, context map[string]any) string {
	t.Helper()
	encodedRule, encodedContext := marshal(t, rule), marshal(t, context)
	got := applyToContextAt(t, encodedRule, encodedContext)
	if got.str == dataAsRule && got.kind == kindError {
		return ""
	}
	data := make(map[string]any, len(context)+1)
	maps.Copy(data, context)
	data["$flagd"] = map[string]any{"flagKey": "flag", "timestamp": float64(testTime.Unix())}
	want, failed := model{key: "flag"}.run(rule, data)
	gotFailed := got.kind == kindError || !finite(got)
	if failed != gotFailed {
		return fmt.Sprintf("rule %s\ncontext %s\ngot %s %q, the model fails: %v (%v)", encodedRule, encodedContext, appendValue(nil, got), got.str, failed, want)
	}
	if failed {
		return ""
	}
	var decoded any
	if err := json.Unmarshal(appendValue(nil, got), &decoded); err != nil {
		t.Fatal(err)
	}
	var expected any
	if err := json.Unmarshal(marshal(t, want), &expected); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, expected) {
		return fmt.Sprintf("rule %s\ncontext %s\ngot %s, want %s", encodedRule, encodedContext, appendValue(nil, got), marshal(t, want))
	}
	return ""
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func applyToContextAt(t *testing.T, rule, data []byte) value {
	t.Helper()
	n, table := compileForTest(t, rule, scope{})
	c := Context{flag: &Flag{key: "flag", salt: "flag"}, now: testTime.Unix(), left: DefaultMaxWork}
	if err := (&Ruleset{attributes: table}).DecodeContext(&c, data); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return n.eval(&c)
}

// TestCompiledRulesAgreeWithTheModel compares random rules on random contexts. FLAGSIDE_SOAK=1 makes it run longer.
func TestCompiledRulesAgreeWithTheModel(t *testing.T) {
	rounds := uint64(20_000)
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		rounds = 2_000_000
	}
	for seed := range rounds {
		g := newGenerator(seed)
		if difference := disagreement(t, g.operation(1+g.IntN(3), false), g.context()); difference != "" {
			t.Fatalf("seed %d: %s", seed, difference)
		}
	}
}

// FuzzEvaluate compares the rules and contexts that a seed makes, and a rule given as text, on which nothing may panic.
func FuzzEvaluate(f *testing.F) {
	f.Add(uint64(1), []byte(`{"if":[{"in":[{"var":"a"},["a","b"]]},"on"]}`))
	f.Add(uint64(2), []byte(`{"filter":[{"var":"list"},{"some":[{"var":"list"},{"var":""}]}]}`))
	f.Add(uint64(3), []byte(`{"substr":["日本",{"var":"n"},-1]}`))
	f.Fuzz(func(t *testing.T, seed uint64, rule []byte) {
		g := newGenerator(seed)
		context := g.context()
		if difference := disagreement(t, g.operation(3, false), context); difference != "" {
			t.Fatal(difference)
		}
		if !json.Valid(rule) {
			return
		}
		body := []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":` + string(rule) + `}`)
		for _, settings := range []string{`{}`, `{"compatibility":"flagd"}`} {
			r, _ := New().Update([]document.Document{settingsDocument(settings), {Kind: document.KindFlag, Key: "a", Revision: 1, Body: body}})
			checkResult(t, evaluate(t, r, "a", marshal(t, context)))
		}
	})
}
