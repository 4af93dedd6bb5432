package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/inprocess"
)

// condition makes a condition of the kind that people write, which may refer to segments.
func (g generator) condition(segments bool) any {
	switch g.IntN(7) {
	case 0:
		return map[string]any{"in": []any{map[string]any{"var": "plan"}, []any{"a", "b", 1.0}}}
	case 1:
		return map[string]any{"starts_with": []any{map[string]any{"var": "s"}, g.pick("", "x", "1")}}
	case 2:
		return map[string]any{"sem_ver": []any{map[string]any{"var": "s"}, g.pick("=", "<", "^"), "1.2.3"}}
	case 3:
		return map[string]any{g.pick("and", "or"): []any{g.condition(segments), g.condition(false)}}
	case 4:
		return map[string]any{"!": []any{map[string]any{"var": g.pick("n", "plan", "$flagd.flagKey")}}}
	case 5:
		if segments {
			return map[string]any{"$ref": g.pick("first", "second")}
		}
		return map[string]any{"==": []any{map[string]any{"var": "$flagd.flagKey"}, "flag-1"}}
	default:
		return map[string]any{g.pick("==", "<", ">=", "!=="): []any{map[string]any{"var": g.pick("n", "plan", "s")}, g.literalOf("a", "x", 1.0, 2.0)}}
	}
}

func (g generator) literalOf(options ...any) any { return options[g.IntN(len(options))] }

// outcome makes what a rule may answer.
func (g generator) outcome() any {
	switch g.IntN(5) {
	case 0:
		shares := []any{[]any{"on", 30.0}, []any{"off", 50.0}, []any{"true", 20.0}}
		switch g.IntN(3) {
		case 0:
			shares = append([]any{map[string]any{"var": g.pick("s", "plan", "missing")}}, shares...)
		case 1:
			shares = append([]any{map[string]any{"cat": []any{map[string]any{"var": "$flagd.flagKey"}, map[string]any{"var": "targetingKey"}}}}, shares...)
		}
		return map[string]any{"fractional": shares}
	case 1:
		return g.literalOf(nil, true, false, "other")
	default:
		return g.pick("on", "off")
	}
}

// own makes a flag that uses what is flagside's own.
func (g generator) own(i int) map[string]any {
	flag := map[string]any{
		"state":    g.pick("ENABLED", "ENABLED", "ENABLED", "DISABLED"),
		"variants": map[string]any{"on": "1", "off": "2", "true": "3"},
	}
	if g.IntN(5) > 0 {
		flag["targeting"] = map[string]any{"if": []any{g.condition(true), g.outcome(), g.condition(true), g.outcome(), g.outcome()}[:2+g.IntN(4)]}
	}
	if g.IntN(4) > 0 {
		flag["defaultVariant"] = g.pick("on", "off")
	}
	if g.IntN(3) == 0 {
		flag["salt"] = g.pick("salt", " padded", "ünï", "flag-0")
	}
	if g.IntN(3) == 0 {
		flag["offVariant"] = g.pick("on", "true")
	}
	var prerequisites []any
	for range g.IntN(3) {
		if i > 0 {
			prerequisites = append(prerequisites, map[string]any{"flag": fmt.Sprintf("flag-%d", g.IntN(i)), "variants": []any{"on", g.pick("off", "true")}})
		}
	}
	if len(prerequisites) > 0 {
		flag["prerequisites"] = prerequisites
	}
	return flag
}

const ownFlags = 30

func (g generator) ownFile(t *testing.T) []byte {
	t.Helper()
	flags := make(map[string]any)
	for i := range ownFlags {
		flags[fmt.Sprintf("flag-%d", i)] = g.own(i)
	}
	data, err := json.Marshal(map[string]any{
		"flags": flags,
		"$evaluators": map[string]any{
			"first":  g.condition(false),
			"second": map[string]any{"or": []any{map[string]any{"$ref": "first"}, g.condition(false)}},
		},
		"metadata": map[string]any{"team": "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (g generator) ownContext() map[string]any {
	all := map[string]any{
		"targetingKey": g.literalOf("user-1", "user-2", "user-3 ", " user", "ünï", "", 5.0, true, nil),
		"plan":         g.literalOf("a", "b", "c", 1.0, true, nil),
		"s":            g.literalOf("x", "1.2.3", "", "seed", 3.0),
		"n":            g.literalOf(0.0, 1.0, 2.5, "2", nil),
	}
	for name := range all {
		if g.IntN(6) == 0 {
			delete(all, name)
		}
	}
	return all
}

// translated returns the document that an in-process provider gets, and how many flags are not in it.
func translated(t *testing.T, rules *eval.Ruleset) (document []byte, leftOut int) {
	t.Helper()
	flags := make(map[string]json.RawMessage)
	for _, flag := range rules.Flags() {
		definition, err := inprocess.Translate(rules, flag)
		if err != nil {
			leftOut++
			continue
		}
		flags[flag.Key()] = definition
	}
	document, err := json.Marshal(map[string]any{"flags": flags})
	if err != nil {
		t.Fatal(err)
	}
	return document, leftOut
}

// TestInProcessProvidersAnswerTheSame evaluates what in-process providers get with flagd's evaluator, which the Go provider uses too.
func TestInProcessProvidersAnswerTheSame(t *testing.T) {
	rounds := uint64(15)
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		rounds = 2000
	}
	compared, missing, variants := 0, 0, make(map[string]int)
	for seed := range rounds {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		documents, problems := eval.ParseFile(g.ownFile(t), "")
		_ = problems.Err() // flags that are refused are among those that are compared
		rules, _ := eval.New().Update(documents)
		document, leftOut := translated(t, rules)
		missing += leftOut
		f, err := newFlagd(document)
		if err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		for range 20 {
			context, err := json.Marshal(g.ownContext())
			if err != nil {
				t.Fatal(err)
			}
			for _, flag := range rules.Flags() {
				if !strings.Contains(string(document), fmt.Sprintf("%q:{\"state\"", flag.Key())) {
					continue
				}
				compared++
				variants[same(t, rules, f, flag, context)]++
			}
		}
	}
	if compared < 1000 || missing == 0 || variants["on"] == 0 || variants["off"] == 0 || variants["true"] == 0 {
		t.Errorf("%d answers were compared, %d flags left out: %v", compared, missing, variants)
	}
	t.Logf("%d answers were compared, %d of %d flags left out: %v", compared, missing, rounds*ownFlags, variants)
}

// same compares the answers for one flag and returns the variant. Where a prerequisite is not met, the reason may be another.
func same(t *testing.T, rules *eval.Ruleset, f flagd, flag *eval.Flag, context []byte) string {
	t.Helper()
	var c eval.Context
	if err := rules.DecodeContext(&c, context); err != nil {
		t.Fatal(err)
	}
	attributes, err := decode(context)
	if err != nil {
		t.Fatal(err)
	}
	result := flag.Evaluate(&c, now)
	name := ""
	if result.Variant != nil {
		name = result.Variant.Name()
	}
	variant, reason, failure := f.one(t.Context(), flag.Key(), attributes)
	if failure != nil {
		variant, reason = "", "ERROR"
	}
	if reason == "FALLBACK" {
		reason = "DEFAULT"
	}
	off := strings.Contains(string(result.Metadata), "failedPrerequisite")
	if variant != name || reason != string(result.Reason) && !off {
		t.Errorf("%s\n%s\nflagside %s %s (%s)\nflagd    %s %s (%v)", flag.Document(), context, name, result.Reason, result.Detail, variant, reason, failure)
	}
	return name
}
