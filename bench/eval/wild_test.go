package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/flagside/flagside/eval"
)

// wild makes files and contexts that people write by mistake, as text: members named twice or in another case, values of wrong types,
// and rules with too few, too many, or no lists of arguments.
type wild struct {
	generator
	tidy bool // leave out what the default mode answers differently, see docs/compatibility.md
}

func newWild(seed uint64, tidy bool) wild {
	return wild{generator{rand.New(rand.NewPCG(seed, 3))}, tidy}
}

// often returns the first of the options half of the time.
func (w wild) often(first string, others ...string) string {
	if w.IntN(2) == 0 {
		return first
	}
	return w.pick(others...)
}

func (w wild) rule(depth int, inside bool) any {
	if depth <= 0 || w.IntN(3) > 0 {
		return w.generator.rule(depth, inside)
	}
	name := w.pick("==", "!=", "===", "!==", "<", "<=", ">", ">=", "+", "*", "max", "min", "%", "-", "/", "abs", "!", "!!", "in", "merge", "cat",
		"substr", "set", "contains_all", "contains_any", "contains_none", "starts_with", "ends_with", "sem_ver", "fractional", "and", "or", "if",
		"?:", "missing", "missing_some", "var", "filter", "map", "reduce", "all", "none", "some", "log", "$ref")
	switch {
	case inside && (name == "var" || name == "missing" || name == "missing_some" || iterates(name)):
		return w.generator.rule(depth, inside)
	case iterates(name):
		return map[string]any{name: []any{w.rule(depth-1, inside), map[string]any{w.pick("cat", "==", "+", "in"): []any{
			map[string]any{"var": w.pick("", "current", "q")}, map[string]any{"var": w.pick("", "accumulator", "k")},
		}}, w.literal()}[:w.IntN(4)]}
	case name == "$ref":
		return map[string]any{name: w.pick("yes", "list", "none")}
	case w.IntN(3) == 0 && !inside:
		return map[string]any{name: w.rule(depth-1, inside)}
	}
	least := 0
	if name == "-" || name == "/" {
		least = 1
	}
	out := []any{}
	for range least + w.IntN(4) {
		out = append(out, w.rule(depth-1, inside))
	}
	return map[string]any{name: out}
}

func iterates(name string) bool {
	switch name {
	case "filter", "map", "reduce", "all", "none", "some":
		return true
	}
	return false
}

func (w wild) targeting() string {
	if w.IntN(3) == 0 {
		return w.pick(`{}`, `{ }`, `null`, `true`, `"on"`, `"nope"`, `1`, `0.5`, `1.0`, `[1,2]`, `["on"]`, `{"a":1,"b":2}`, `"null"`, `""`, `[]`, `{"$ref":"yes"}`,
			`{"if":[{"$ref":"yes"},"on"]}`, `{"cat":["o","n"]}`, `{"+":[0.1,0.2]}`, `{"/":[1,0]}`, `{"-":[0]}`, `{"*":[1e300,1e300]}`, `9007199254740993`)
	}
	encoded, err := json.Marshal(w.rule(3, false))
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func (w wild) variants() string {
	names := []string{`"on"`, `"off"`, `"true"`, `"1"`, `"a"`, `"0.5"`, `"null"`, `"[1,2]"`, `"é"`}
	values := []string{`true`, `false`, `"s"`, `1`, `1.0`, `1e21`, `1e-7`, `0`, `{"a":1,"b":{"c":null}}`, `"<&>"`, `"\u2028"`, `-0.5`}
	if !w.tidy {
		names = append(names, `""`, `"a\"b"`, `"<b>"`, `"\u00e9"`, `"on"`, `"0.30000000000000004"`, `"9007199254740992"`)
		values = append(values, `null`, `[1,[2]]`, `9007199254740993`, `-0`, `-0.0`, `"\ud800"`, `{"a":1,"a":2}`, w.odd(`5`, w.odd(`6`, `1e400`)))
	}
	members := []string{`"on":` + w.pick(values...)}
	for range w.IntN(5) {
		members = append(members, w.pick(names...)+":"+w.pick(values...))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (w wild) flag(more ...string) string {
	members := more
	add := func(name, value string) {
		if !w.tidy && w.IntN(20) == 0 {
			name = w.pick(strings.ToUpper(name), strings.ToUpper(name[:1])+name[1:])
		}
		members = append(members, fmt.Sprintf("%q: %s", name, value))
	}
	add("state", w.odd(w.often(`"ENABLED"`, `"ENABLED"`, `"ENABLED"`, `"DISABLED"`), `"disabled"`, `""`, `null`))
	add("variants", w.variants())
	if w.IntN(4) > 0 {
		add("defaultVariant", w.often(`"on"`, `""`, `null`, w.odd(`"on"`, `"nope"`, `5`)))
	}
	if w.IntN(5) > 0 {
		add("targeting", w.targeting())
	}
	if w.IntN(3) == 0 {
		add("metadata", w.pick(`{}`, `{"a":1,"b":"<x>","d":true}`, `{"c":null}`, w.odd(`{}`, `null`, `{"a":{"b":[1]}}`, `5`)))
	}
	add(w.odd("$comment", "source", "key", "prerequisites", "other"), w.odd(`"x"`, `5`, `null`, `[]`))
	w.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

// odd returns the first of the options and, if the file need not be tidy, now and then another one.
func (w wild) odd(first string, others ...string) string {
	if w.tidy || w.IntN(12) > 0 {
		return first
	}
	return w.pick(others...)
}

const wildFlags = 6

// file returns a file of flags f0 to f5.
func (w wild) file() []byte {
	flags := make([]string, wildFlags)
	isList := w.IntN(4) == 0
	for i := range flags {
		if isList {
			flags[i] = w.flag(fmt.Sprintf(`"key":"f%d"`, i))
		} else {
			flags[i] = fmt.Sprintf(`"f%d":%s`, i, w.flag())
		}
	}
	all := "{" + strings.Join(flags, ",\n") + "}"
	if isList {
		all = "[" + strings.Join(flags, ",\n") + "]"
	}
	members := []string{w.odd(`"flags"`, `"FLAGS"`) + ":" + w.odd(all, all, all, "null", `{"f0":null}`, "5", `""`)}
	if w.IntN(2) == 0 {
		members = append(members, w.odd(`"metadata"`, `"Metadata"`)+":"+w.odd(`{"team":"x","a":2}`, `null`, `{"c":null,"d":[1]}`, `5`))
	}
	members = append(members, w.odd(`"$evaluators"`, `"$Evaluators"`)+":"+w.odd(w.pick(
		`{"yes":{"==":[{"var":"a"},"a"]},"list":["a","b"]}`, `{"yes":{"!!":[1]},"list":{"merge":[1,2]}}`), `null`, `{"yes":1}`, `{"yes":100}`, `5`))
	w.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return []byte("{" + strings.Join(members, ", ") + "}")
}

// context returns an evaluation context as text.
func (w wild) context() []byte {
	encoded, err := json.Marshal(w.generator.context())
	if err != nil {
		panic(err)
	}
	if w.IntN(3) > 0 {
		return encoded
	}
	more := w.pick(`"x":9007199254740993`, `"x":-0`, `"x":"\ud83d\ude00"`, `"n":1e400`, `"$flagd":{"flagKey":"z"}`, `"a":"b","a":"a"`, `"o":{"x":1,"x":2},"o":3`,
		`"s":"\ud800"`, `"list":[[[]]]`, `"targetingKey":5`, `"targetingKey":null`, `"\u0061":"a"`, `"s":1e-400`)
	if string(encoded) == "{}" {
		return []byte("{" + more + "}")
	}
	return append(encoded[:len(encoded)-1:len(encoded)-1], ("," + more + "}")...)
}

// TestWildFilesAreAnsweredLikeFlagd compares which files are loaded, and the answers of all flags, in compatibility flagd; and of tidy files
// the answers of the default mode as well, if it does not refuse them.
func TestWildFilesAreAnsweredLikeFlagd(t *testing.T) {
	rounds := uint64(150)
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		rounds = 2000
	}
	counts := make(map[string]int)
	for seed := range rounds {
		compareFile(t, seed, "flagd", eval.CompatibilityFlagd, counts)
		compareFile(t, seed, "default", "", counts)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Log(counts)
	for _, count := range []string{"flagd refused", "flagd DEFAULT", "flagd TARGETING_MATCH", "flagd ERROR", "flagd STATIC", "flagd DISABLED", "default TARGETING_MATCH", "default ERROR", "default refused"} {
		if counts[count] == 0 {
			t.Errorf("there was nothing of %s", count)
		}
	}
}

// FuzzAgainstFlagd is TestWildFilesAreAnsweredLikeFlagd for any seed.
func FuzzAgainstFlagd(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		counts := make(map[string]int)
		compareFile(t, seed, "flagd", eval.CompatibilityFlagd, counts)
		compareFile(t, seed, "default", "", counts)
	})
}

func compareFile(t *testing.T, seed uint64, mode string, c eval.Compatibility, counts map[string]int) {
	t.Helper()
	w := newWild(seed, c == "")
	data := w.file()
	documents, problems := eval.ParseFile(data, c)
	reference, err := newFlagd(data)
	if c == eval.CompatibilityFlagd && (err != nil) != (problems.Err() != nil) {
		t.Errorf("%s\nflagside: %v\nflagd: %v", data, problems.Err(), err)
	}
	if err != nil {
		counts[mode+" refused"]++
		return
	}
	rules, _ := eval.New().Update(documents)
	refused := make(map[string]bool)
	for _, p := range rules.Problems() {
		refused[p.Key] = true
	}
	for range 4 {
		context := w.context()
		for i := range wildFlags {
			key := fmt.Sprintf("f%d", i)
			if refused[key] {
				counts[mode+" refused"]++
				continue
			}
			counts[mode+" "+compareWild(t, rules, reference, key, context)]++
		}
	}
}

// compareWild evaluates one flag with both and returns the reason of flagside's answer.
func compareWild(t *testing.T, rules *eval.Ruleset, f flagd, key string, context []byte) string {
	t.Helper()
	var c eval.Context
	refused := rules.DecodeContext(&c, context) != nil
	attributes, err := decode(context)
	if refused || err != nil {
		if refused != (err != nil) && rules.Compatibility() == eval.CompatibilityFlagd {
			t.Errorf("%s: refused %v, flagd %v", context, refused, err)
		}
		return "no context"
	}
	flag := rules.Flag(key)
	if flag == nil {
		return "no flag"
	}
	result := flag.Evaluate(&c, now)
	got, want := canonical(t, describe(result)), canonical(t, f.describe(t, key, attributes))
	if got != want && !strings.Contains(result.Detail, "data that looks like a rule") {
		t.Errorf("%s\n%s\nflagside %s (%s)\nflagd    %s", flag.Document(), context, got, result.Detail, want)
	}
	return string(result.Reason)
}

// canonical writes the JSON parts of an answer the same way, with numbers as 64-bit floating point.
func canonical(t *testing.T, answer string) string {
	t.Helper()
	parts := strings.SplitN(strings.Replace(answer, "TYPE_MISMATCH", "GENERAL", 1), `" `, 2)
	d := json.NewDecoder(bytes.NewReader([]byte(parts[1])))
	for range 2 {
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(encoded))
	}
	return strings.Join([]string{parts[0], parts[2], parts[3]}, " ")
}
