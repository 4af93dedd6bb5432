package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/flagside/flagside/eval"
)

// generator makes random rules and contexts. It leaves out what docs/compatibility.md lists as deviations in both modes.
type generator struct{ *rand.Rand }

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g generator) literal() any {
	switch g.IntN(8) {
	case 0:
		return nil
	case 1:
		return g.IntN(2) == 0
	case 2, 3:
		return []any{-1.0, 0.0, 1.0, 2.0, 1.5, 1e21, 1e-7, 100000000.0}[g.IntN(8)]
	case 4:
		return []any{g.pick("a", "b", "1"), 1.0}[:g.IntN(3)]
	default:
		return g.pick("", "a", "b", "1", "2.5", " x ", "abc", "é日", "1.2.3", "v2.0.0-rc.1", "on", "off", "<b>", "null")
	}
}

func (g generator) variable(inside bool) any {
	if inside {
		return map[string]any{"var": g.pick("", "q", "k", "current", "accumulator")}
	}
	name := g.pick("a", "b", "n", "s", "list", "o", "o.x", "o.y.z", "list.0", "objects.0.q", "missing", "targetingKey", "$flagd.flagKey")
	if g.IntN(5) == 0 {
		return map[string]any{"var": []any{name, g.literal()}}
	}
	return map[string]any{"var": name}
}

func (g generator) rule(depth int, inside bool) any {
	switch n := g.IntN(10); {
	case n < 3 || depth <= 0 && n < 6:
		return g.variable(inside)
	case n < 5 || depth <= 0:
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
	name := g.pick("==", "!=", "===", "!==", "<", "<=", ">", ">=", "+", "*", "max", "min", "%", "-", "/", "abs", "!", "!!", "in", "merge", "cat",
		"substr", "contains_all", "contains_any", "contains_none", "starts_with", "ends_with", "sem_ver", "fractional", "and", "or", "if", "if", "if",
		"missing", "missing_some", "filter", "map", "all", "none", "some", "nope")
	return map[string]any{name: g.arguments(name, depth-1, inside)}
}

func (g generator) arguments(name string, depth int, inside bool) any {
	switch name {
	case "!", "!!", "abs":
		return g.rules(1, depth, inside)
	case "and", "or", "+", "*", "cat", "merge":
		return g.rules(1+g.IntN(3), depth, inside)
	case "if":
		return append(g.rules(2*g.IntN(3), depth, inside), g.rule(depth, inside))
	case "in":
		return []any{g.rule(depth, inside), []any{g.literal(), g.literal(), g.literal()}}
	case "sem_ver":
		return []any{g.rule(depth, inside), g.pick("=", "!=", "<", "<=", ">", ">=", "^", "~", "x"), g.pick("1.2.3", "v1.2", "1", "2.0.0-rc.1", "x")}
	case "fractional":
		return g.shares(depth, inside)
	case "missing":
		return []any{g.pick("a", "b"), g.pick("o.x", "q")}
	case "missing_some":
		return []any{1.0, []any{g.pick("a", "b"), g.pick("o.x", "q")}}
	case "filter", "map", "all", "none", "some":
		return []any{g.subject(), map[string]any{g.pick("==", "in", "!=", "<", "cat"): g.rules(2, 0, true)}}
	case "substr":
		return []any{g.rule(depth, inside), float64(g.IntN(7) - 3), float64(g.IntN(7) - 3)}[:2+g.IntN(2)]
	default:
		return g.rules(2, depth, inside)
	}
}

func (g generator) subject() any {
	if g.IntN(3) == 0 {
		return []any{g.literal(), g.literal(), g.literal()}
	}
	return map[string]any{"var": g.pick("list", "objects")}
}

func (g generator) shares(depth int, inside bool) any {
	out := []any{}
	switch g.IntN(4) {
	case 0:
		out = append(out, g.rule(depth, inside))
	case 1:
		out = append(out, map[string]any{"var": g.pick("targetingKey", "s", "missing")})
	}
	for range 1 + g.IntN(3) {
		share := []any{g.pick("on", "off", "a"), float64(g.IntN(100) - 2)}
		switch g.IntN(6) {
		case 0:
			share = share[:1]
		case 1:
			share[1] = g.literal()
		}
		out = append(out, share)
	}
	return out
}

func (g generator) context() map[string]any {
	all := map[string]any{
		"a": g.literal(), "b": g.literal(), "n": float64(g.IntN(9)) / 2, "s": g.pick("x", "1.2.3", " pad ", "ünï\n\"q\""),
		"list":         []any{g.literal(), g.literal(), g.literal()},
		"objects":      []any{map[string]any{"q": g.literal(), "k": g.literal()}, map[string]any{"q": g.literal(), "targetingKey": "inner"}},
		"o":            map[string]any{"x": g.literal(), "y": map[string]any{"z": g.literal(), "w": 1.0}},
		"targetingKey": g.pick("user-1", "user-2", ""),
	}
	for name := range all {
		if g.IntN(5) == 0 {
			delete(all, name)
		}
	}
	return all
}

// flag makes a flag whose variants have names that rules often return.
func (g generator) flag() map[string]any {
	flag := map[string]any{
		"state": g.pick("ENABLED", "ENABLED", "ENABLED", "DISABLED"),
		"variants": map[string]any{
			"on": true, "off": false, "true": true, "false": false, "1": 1.0, "a": "x", "null": "y", "2.5": 2.5, "[a,1]": map[string]any{"z": []any{1.0}},
		},
		"targeting": map[string]any{"if": []any{g.rule(3, false), g.pick("on", "true", "a"), g.rule(2, false)}},
		"metadata":  map[string]any{"owner": "me", "level": 3.0},
	}
	if g.IntN(3) > 0 {
		flag["targeting"] = g.rule(4, false)
	}
	if g.IntN(4) > 0 {
		flag["defaultVariant"] = g.pick("on", "off", "1", "2.5")
	}
	return flag
}

const differentialFlags = 50

// differentialFile returns a file of random flags.
func (g generator) file(t *testing.T) []byte {
	t.Helper()
	flags := make(map[string]any)
	for i := range differentialFlags {
		flags[fmt.Sprintf("flag-%d", i)] = g.flag()
	}
	data, err := json.Marshal(map[string]any{"flags": flags})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCompatibilityFlagdAnswersLikeFlagd evaluates random flags with flagd's own evaluator and in compatibility flagd.
func TestCompatibilityFlagdAnswersLikeFlagd(t *testing.T) {
	rounds := uint64(5)
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		rounds = 200
	}
	reasons := make(map[string]int)
	for seed := range rounds {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		data := g.file(t)
		f, err := newFlagd(data)
		if err != nil {
			t.Fatal(err)
		}
		documents, problems := eval.ParseFile(data, eval.CompatibilityFlagd)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		rules, _ := eval.New().Update(documents)
		for range 10 {
			context, err := json.Marshal(g.context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range differentialFlags {
				reason := compare(t, rules, f, fmt.Sprintf("flag-%d", i), context)
				reasons[reason]++
			}
		}
	}
	for _, reason := range []string{"DEFAULT", "TARGETING_MATCH", "DISABLED", "ERROR PARSE_ERROR", "ERROR GENERAL"} {
		if reasons[reason] == 0 {
			t.Errorf("no answer was %s: %v", reason, reasons)
		}
	}
	t.Logf("answers: %v", reasons)
}

// compare evaluates one flag with both and returns the reason and the error code of flagside's answer.
func compare(t *testing.T, rules *eval.Ruleset, f flagd, key string, context []byte) string {
	t.Helper()
	var c eval.Context
	if err := rules.DecodeContext(&c, context); err != nil {
		t.Fatal(err)
	}
	attributes, err := decode(context)
	if err != nil {
		t.Fatal(err)
	}
	result := rules.Flag(key).Evaluate(&c, now)
	got, want := describe(result), f.describe(t, key, attributes)
	if got != want && !strings.Contains(result.Detail, "data that looks like a rule") {
		t.Errorf("%s\n%s\nflagside %s (%s)\nflagd    %s", rules.Flag(key).Document(), context, got, result.Detail, want)
	}
	return strings.TrimSpace(string(result.Reason) + " " + string(result.ErrorCode))
}

func describe(r eval.Result) string {
	variant, value := "", "null"
	if r.Variant != nil {
		variant, value = r.Variant.Name(), string(r.Value())
	}
	return fmt.Sprintf("%s %s %q %s %s", r.Reason, r.ErrorCode, variant, value, r.Metadata)
}

// describe evaluates a flag with flagd and writes the answer in the form of the other describe.
func (f flagd) describe(t *testing.T, key string, attributes map[string]any) string {
	t.Helper()
	answer := f.ResolveAsAnyValue(t.Context(), "", key, attributes)
	code := ""
	if answer.Error != nil {
		code, answer.Variant, answer.Value = answer.Error.Error(), "", nil
	}
	if answer.Reason == "FALLBACK" {
		answer.Reason = "DEFAULT"
	}
	value, err := json.Marshal(answer.Value)
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := json.Marshal(answer.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %q %s %s", answer.Reason, code, answer.Variant, value, metadata)
}
