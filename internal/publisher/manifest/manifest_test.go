package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/manifest"
)

// compile returns a flag; with flagd's compatibility, nothing is refused.
func compile(t testing.TB, key, body string, c eval.Compatibility) *eval.Flag {
	t.Helper()
	documents := []document.Document{{Kind: document.KindFlag, Key: key, Body: []byte(body), Revision: 2}}
	if c != "" {
		settings := fmt.Appendf(nil, `{"compatibility":%q}`, c)
		documents = append(documents, document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: settings, Revision: 1})
	}
	rules, _ := eval.New().Update(documents)
	f := rules.Flag(key)
	if f == nil {
		t.Fatalf("there is no flag %q", key)
	}
	return f
}

// of is a flag with variants and more.
func of(variants, more string) string {
	return `{"state":"ENABLED","variants":{` + variants + `}` + more + `}`
}

func TestWhatAManifestTells(t *testing.T) {
	t.Parallel()
	f := func(body string, kind manifest.Type, byDefault string) {
		t.Helper()
		got, err := manifest.Of(compile(t, "f", body, ""))
		if err != nil || got.Type != kind || string(got.Default) != byDefault {
			t.Errorf("%s is told as %s %s, %v; want %s %s", body, got.Type, got.Default, err, kind, byDefault)
		}
	}
	const bools = `"on":true,"off":false`
	f(of(bools, `,"defaultVariant":"on"`), manifest.Boolean, "true")
	f(of(bools, `,"defaultVariant":"off"`), manifest.Boolean, "false")
	f(of(bools, ``), manifest.Boolean, "false")
	f(of(bools, `,"defaultVariant":null`), manifest.Boolean, "false")
	f(of(bools, `,"offVariant":"on"`), manifest.Boolean, "true")
	f(of(bools, `,"defaultVariant":"on","offVariant":"off"`), manifest.Boolean, "false")
	f(strings.Replace(of(bools, `,"defaultVariant":"on"`), "ENABLED", "DISABLED", 1), manifest.Boolean, "true")
	f(of(bools, `,"defaultVariant":"off","targeting":{"if":[{"var":"x"},"on"]}`), manifest.Boolean, "false")
	f(of(`"a":"red","b":"blue"`, `,"defaultVariant":"b"`), manifest.String, `"blue"`)
	f(of(`"a":"red"`, ``), manifest.String, `""`)
	f(of(`"a":"rouge é 赤 \u00e9"`, `,"defaultVariant":"a"`), manifest.String, `"rouge é 赤 \u00e9"`)
	f(of("\"a\":\"👩\u200d👧 10\u00a0€ \u200b\"", `,"defaultVariant":"a"`), manifest.String, "\"👩\u200d👧 10\u00a0€ \u200b\"")
	f(of(`"a":1,"b":-2`, `,"defaultVariant":"b"`), manifest.Integer, "-2")
	f(of(`"a":1`, ``), manifest.Integer, "0")
	f(of(`"a":1,"b":2.5`, `,"defaultVariant":"a"`), manifest.Float, "1")
	f(of(`"a":1.0`, `,"defaultVariant":"a"`), manifest.Float, "1.0")
	f(of(`"a":1e3`, ``), manifest.Float, "0.0")
	f(of(`"a":{"x":[1,"y"]}`, `,"defaultVariant":"a"`), manifest.Object, `{"x":[1,"y"]}`)
	f(of(`"a":{"x":1}`, ``), manifest.Object, "{}")
	f(of(`"a":9007199254740993,"b":1`, `,"defaultVariant":"b"`), manifest.Integer, "1")
}

func TestWhatAManifestLeavesOut(t *testing.T) {
	t.Parallel()
	f := func(key, body string, c eval.Compatibility, reason string) {
		t.Helper()
		if got, err := manifest.Of(compile(t, key, body, c)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s %s is told as %v, %v; want it left out because it %s", key, body, got, err, reason)
		}
	}
	boolean := of(`"on":true,"off":false`, `,"defaultVariant":"on"`)
	for _, key := range []string{"1st", "a/b", "a b", "", "été", "-a", "a\"b", "a\nb", `a\b`, "a*/b", "a{{b}}"} {
		if key != "" {
			f(key, boolean, "", "has a key that")
		}
	}
	f("f", `{}`, "", "cannot be evaluated")
	f("f", of(`"a":true,"b":"x"`, ``), eval.CompatibilityFlagd, "several types")
	f("f", of(`"a":true,"b":null`, ``), eval.CompatibilityFlagd, "null or a list")
	f("f", of(`"a":[1]`, ``), eval.CompatibilityFlagd, "null or a list")
	f("f", of(``, ``), eval.CompatibilityFlagd, "has no variants")
	for _, text := range []string{`say \"x\"`, `back\\slash`, `two\nlines`, `a*/b`, "a\u2028b", "a\u202eb", `\u0000`, "\uFEFFx", "\U000e0001"} {
		f("f", of(`"a":"`+text+`"`, `,"defaultVariant":"a"`), "", "cannot hold")
		f("f", of(`"a":{"x":["`+text+`"]}`, `,"defaultVariant":"a"`), "", "cannot hold")
		f("f", of(`"a":{"`+text+`":1}`, `,"defaultVariant":"a"`), "", "cannot hold")
	}
	f("f", of(`"a":{"x":null}`, `,"defaultVariant":"a"`), "", "null in it")
	f("f", of(`"a":9007199254740993`, `,"defaultVariant":"a"`), "", "digits would be lost")
	f("f", of(`"a":{"x":99999999999999999999}`, `,"defaultVariant":"a"`), "", "digits would be lost")
}

func TestDescriptionsAreOneHarmlessLine(t *testing.T) {
	t.Parallel()
	f := func(description, want string) {
		t.Helper()
		body := of(`"on":true,"off":false`, fmt.Sprintf(`,"defaultVariant":"on","description":%s`, quoted(t, description)))
		got, err := manifest.Of(compile(t, "f", body, ""))
		if err != nil || got.Description != want {
			t.Errorf("%q is told as %q, %v; want %q", description, got.Description, err, want)
		}
	}
	f("The \"one\" page", "The \"one\" page")
	f("two\nlines\r\n\r\nthree", "two lines three")
	f("x\nfunc init() { panic(1) }", "x func init() { panic(1) }")
	f("a */ b **// c", "a * / b ** // c")
	f(`a *\ b \u002a\u002f c`, "a * / b /u002a/u002f c")
	f(`""" + evil() + """`, "''' + evil() + '''")
	f("a\u2028b\u2029c\u0085d\u202ee", "a b c d e")
	f("  x  ", "x")
	f("", "")
}

func quoted(t testing.TB, s string) string {
	t.Helper()
	text, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// told returns what a manifest tells of a flag that it has created and changed.
func told(t testing.TB, live *eval.Flag) manifest.Flag {
	t.Helper()
	f, err := manifest.Of(live)
	if err != nil {
		t.Fatalf("%s: %v", live.Document(), err)
	}
	return f
}

func TestWhatIsCreatedIsToldAgain(t *testing.T) {
	t.Parallel()
	f := func(kind manifest.Type, byDefault, document string) {
		t.Helper()
		wanted := manifest.Flag{Key: "f", Type: kind, Description: "what it does", Default: jsontext.Value(byDefault)}
		if err := wanted.Validate(); err != nil {
			t.Errorf("%s %s: %v", kind, byDefault, err)
			return
		}
		body, err := wanted.Document()
		if err != nil || !strings.Contains(string(body), document) {
			t.Errorf("%s %s makes %s, %v; want %s in it", kind, byDefault, body, err, document)
			return
		}
		live := compile(t, "f", string(body), "")
		again := told(t, live)
		if again.Type != kind || again.Description != wanted.Description {
			t.Errorf("%s is told as %v", body, again)
		}
		if patch, err := manifest.Change(live, wanted); patch != nil || err != nil {
			t.Errorf("%s differs from what made it: %s, %v", body, patch, err)
		}
	}
	f(manifest.Boolean, "true", `"defaultVariant":"on"`)
	f(manifest.Boolean, "false", `"defaultVariant":"off"`)
	f(manifest.String, `"x"`, `"variants":{"default":"x"}`)
	f(manifest.Integer, "7", `"variants":{"default":7}`)
	f(manifest.Float, "7", `"variants":{"default":7.0}`)
	f(manifest.Float, "7.5", `"variants":{"default":7.5}`)
	f(manifest.Float, "1e21", `"variants":{"default":1e21}`)
	f(manifest.Object, `{"a":{"b":[1,2]}}`, `"variants":{"default":{"a":{"b":[1,2]}}}`)
}

func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	f := func(w manifest.Flag, reason string) {
		t.Helper()
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v: %v, want %s", w, err, reason)
		}
	}
	f(manifest.Flag{Key: "a/b", Type: manifest.Boolean, Default: jsontext.Value("true")}, "leave out")
	f(manifest.Flag{Key: "f", Type: manifest.Boolean, Default: jsontext.Value("1")}, "not of the type boolean")
	f(manifest.Flag{Key: "f", Type: manifest.Integer, Default: jsontext.Value("1.5")}, "not of the type integer")
	f(manifest.Flag{Key: "f", Type: manifest.Object, Default: jsontext.Value("[1]")}, "not of the type object")
	f(manifest.Flag{Key: "f", Type: manifest.String, Default: jsontext.Value("null")}, "not of the type string")
	f(manifest.Flag{Key: "f", Type: manifest.String, Default: jsontext.Value(`"a\nb"`)}, "leave out")
	f(manifest.Flag{Key: "f", Type: manifest.Object, Default: jsontext.Value(`{"a":null}`)}, "leave out")
	f(manifest.Flag{Key: "f", Type: manifest.Boolean, Default: jsontext.Value("true"), Description: "a\nb"}, "one line")
}

// What a change leads to: a merge patch, or why it cannot be made.
func TestChanges(t *testing.T) {
	t.Parallel()
	f := func(body string, wanted manifest.Flag, want string) {
		t.Helper()
		wanted.Key = "f"
		patch, err := manifest.Change(compile(t, "f", body, ""), wanted)
		if err != nil {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s becoming %v: %v, want %s", body, wanted, err, want)
			}
			return
		}
		if string(patch) != want {
			t.Errorf("%s becoming %v is %s, want %s", body, wanted, patch, want)
		}
	}
	flag := func(kind manifest.Type, byDefault, description string) manifest.Flag {
		return manifest.Flag{Type: kind, Default: jsontext.Value(byDefault), Description: description}
	}
	bools := of(`"on":true,"off":false`, `,"defaultVariant":"off","description":"a","targeting":{"if":[{"var":"x"},"on"]}`)
	f(bools, flag(manifest.Boolean, "false", "a"), "")
	f(bools, flag(manifest.Boolean, "true", "a"), `{"defaultVariant":"on"}`)
	f(bools, flag(manifest.Boolean, "true", ""), `{"defaultVariant":"on","description":null}`)
	f(bools, flag(manifest.Boolean, "false", "b"), `{"description":"b"}`)
	f(bools, manifest.Flag{Type: manifest.Boolean, Description: "b"}, `{"description":"b"}`)
	f(bools, flag(manifest.String, `"x"`, "a"), "is boolean and cannot become string")
	f(of(`"on":true,"off":false`, `,"defaultVariant":"on","offVariant":"off"`), flag(manifest.Boolean, "true", ""), `{"offVariant":"on"}`)
	f(of(`"on":true,"off":false`, ``), flag(manifest.Boolean, "true", ""), "has no default variant")
	f(of(`"on":true,"off":false`, ``), flag(manifest.Boolean, "false", "x"), `{"description":"x"}`)
	f(of(`"on":true`, `,"defaultVariant":"on"`), flag(manifest.Boolean, "false", ""), `{"variants":{"on":false}}`)
	f(of(`"a":"x","b":"y"`, `,"defaultVariant":"a"`), flag(manifest.String, `"y"`, ""), `{"defaultVariant":"b"}`)
	f(of(`"a":"x","b":"y"`, `,"defaultVariant":"a"`), flag(manifest.String, `"z"`, ""), `no variant of flag "f" has the value "z"`)
	f(of(`"a":"x"`, `,"defaultVariant":"a"`), flag(manifest.String, `"z"`, ""), `{"variants":{"a":"z"}}`)
	f(of(`"a":"é"`, `,"defaultVariant":"a"`), flag(manifest.String, `"\u00e9"`, ""), "")
	f(of(`"a":1.5`, `,"defaultVariant":"a"`), flag(manifest.Float, `2`, ""), `{"variants":{"a":2.0}}`)
	f(of(`"a":1.50`, `,"defaultVariant":"a"`), flag(manifest.Float, `15e-1`, ""), "")
	f(of(`"a":1`, `,"defaultVariant":"a"`), flag(manifest.Float, `1`, ""), "is integer and cannot become float")
	f(of(`"a":1.5`, `,"defaultVariant":"a"`), flag(manifest.Integer, `1`, ""), "is float and cannot become integer")
	f(of(`"a":{"x":1,"y":{"z":1,"w":2}}`, `,"defaultVariant":"a"`), flag(manifest.Object, `{"y":{"w":3},"v":{"u":1}}`, ""),
		`{"variants":{"a":{"v":{"u":1},"x":null,"y":{"w":3,"z":null}}}}`)
	f(of(`"a":{"x":1}`, `,"defaultVariant":"a"`), flag(manifest.Object, `{ "x": 1.0 }`, ""), "")
	f(of(`"a":"x\ny"`, `,"defaultVariant":"a"`), flag(manifest.String, `"z"`, ""), "is not in the manifest")
}

// patched is a flag after a merge patch.
func patched(t testing.TB, live *eval.Flag, patch []byte) *eval.Flag {
	t.Helper()
	return compile(t, live.Key(), string(merged(t, live.Document(), patch)), "")
}

// merged is RFC 7396 in its own words.
func merged(t testing.TB, target, patch jsontext.Value) jsontext.Value {
	t.Helper()
	if patch.Kind() != '{' {
		return patch
	}
	var result, changes map[string]jsontext.Value
	if target.Kind() == '{' {
		if err := json.Unmarshal(target, &result); err != nil {
			t.Fatal(err)
		}
	}
	if result == nil {
		result = make(map[string]jsontext.Value)
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		t.Fatal(err)
	}
	for name, value := range changes {
		if value.Kind() == 'n' {
			delete(result, name)
		} else {
			result[name] = merged(t, result[name], value)
		}
	}
	all, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever is told stays in its line, its comment and its quotation marks, and what is changed is told as it was wanted.
func FuzzFlags(f *testing.F) {
	f.Add("f", "x\n*/", `"a"`, `"b"`)
	f.Add("new-checkout", `\u002a`, `{"a":{"b":1}}`, `{"a":{"c":[1]}}`)
	f.Add("a.b_c", `"""`, "1", "2")
	f.Add("é", "", "1.5", "1e3")
	f.Add("f", "", "true", "false")
	f.Fuzz(func(t *testing.T, key, description, first, second string) {
		id := document.ID{Kind: document.KindFlag, Key: key}
		value := jsontext.Value(first)
		text, err := jsontext.AppendQuote(nil, description)
		if err != nil || id.Validate() != nil || value.Compact() != nil || value.Kind() == 'n' || value.Kind() == '[' {
			return
		}
		live := compile(t, key, of(`"a":`+string(value), `,"defaultVariant":"a","description":`+string(text)), "")
		got, err := manifest.Of(live)
		if err != nil {
			return
		}
		for _, s := range []string{got.Description, got.Key} {
			if strings.ContainsAny(s, "\n\r\v\f\x00\\\u0085\u2028\u2029") || strings.Contains(s, "*/") || strings.Contains(s, `"""`) {
				t.Errorf("%q is told", s)
			}
		}
		if strings.ContainsAny(key, "\"/{}() `$") || strings.Contains(string(got.Default), `*/`) || strings.Contains(string(got.Default), `\"`) {
			t.Errorf("%q is told with %s", key, got.Default)
		}
		wanted := got
		if wanted.Default = jsontext.Value(second); wanted.Default.Compact() != nil || wanted.Validate() != nil {
			return
		}
		patch, err := manifest.Change(live, wanted)
		if err != nil || patch == nil {
			return
		}
		after := patched(t, live, patch)
		if again, err := manifest.Change(after, wanted); again != nil || err != nil {
			t.Errorf("%s became %s, and then %s, %v is left to do", live.Document(), after.Document(), again, err)
		}
	})
}
