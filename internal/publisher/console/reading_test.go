package console_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// reader is a tab that has the modules that read documents, as the global reading.
func reader(t *testing.T) *tab {
	t.Helper()
	browser := browser(t)
	web, err := filepath.Abs("web")
	if err != nil {
		t.Fatal(err)
	}
	built := api.Build(api.BuildOptions{
		Stdin: &api.StdinOptions{
			Contents: `export * from "./reading/json"; export * from "./reading/flag"; export * from "./reading/targeting"; export * from "./reading/form"; export * from "./reading/zone"; export * from "./reading/merge"; export * from "./reading/difference"; export * from "./reading/compare"; export * from "./reading/commands"; export * from "./reading/table"; export * from "./reading/impact"; export * from "./reading/usage"`, ResolveDir: web,
		},
		Bundle: true, Format: api.FormatIIFE, GlobalName: "reading", Target: api.ES2022, LogLevel: api.LogLevelSilent,
	})
	if len(built.Errors) != 0 {
		t.Fatal(built.Errors)
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	p.do(chromedp.Navigate("about:blank"))
	evaluate[bool](p, string(built.OutputFiles[0].Contents)+"; globalThis.reading = reading; true")
	return p
}

// quoted returns a text as JavaScript.
func quoted(t *testing.T, text string) string {
	t.Helper()
	code, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(code)
}

// What people read of a rule, of a difference, and of a roll-out.
func TestReading(t *testing.T) {
	t.Parallel()
	p := reader(t)
	for name, c := range map[string]struct {
		code string
		want []string
	}{
		"no targeting":  {`rules({})`, []string{"everyone: the default variant"}},
		"one condition": {`rules({"if":[{"==":[{"var":"country"},"DE"]},"on","off"]})`, []string{"country is “DE”: on", "everyone: off"}},
		"else if": {
			`rules({"if":[{"$ref":"staff"},"on",{"if":[{"in":[{"var":"tier"},["gold","platinum"]]},"on"]}]})`,
			[]string{"in segment staff: on", "tier is one of “gold”, “platinum”: on", "everyone: the default variant"},
		},
		"brackets": {
			`rules({"if":[{"and":[{"or":[{"==":[{"var":"a"},1]},{"!":[{"var":"b"}]}]},{"sem_ver":[{"var":"v"},">=","2.0.0"]}]},"on","off"]})`,
			[]string{"( a is 1 or not b is set ) and v version is at least “2.0.0”: on", "everyone: off"},
		},
		"between": {`rules({"if":[{"<=":[1,{"var":"n"},5]},"on","off"]})`, []string{"n is at least 1 and at most 5: on", "everyone: off"}},
		"shares":  {`rules({"fractional":[["on",10],["off",90]]})`, []string{"everyone: 10 % on, 90 % off"}},
		"shares of equal weight, by an attribute": {
			`rules({"fractional":[{"var":"team"},["a"],["b"],["c"]]})`, []string{"everyone: 33.33 % a, 33.33 % b, 33.33 % c by team"},
		},
		"what has no words stays JSON": {
			`rules({"if":[{"some":[{"var":"l"},{"==":[{"var":""},1]}]},{"cat":["o","n"]},"off"]})`,
			[]string{`{"some":[{"var":"l"},{"==":[{"var":""},1]}]}: {"cat":["o","n"]}`, "everyone: off"},
		},
		"turned off":            {`remarks({"state":"ENABLED"},{"state":"DISABLED"})`, []string{"changed The flag: on → off"}},
		"created and deleted":   {`remarks(undefined,{}).concat(remarks({},undefined))`, []string{"added The document is new", "removed The document is deleted"}},
		"more of a percentage":  {`remarks({"targeting":{"if":[{"$ref":"staff"},"on",{"fractional":[["on",10],["off",90]]}]}},{"targeting":{"if":[{"$ref":"staff"},"on",{"fractional":[["on",25],["off",75]]}]}})`, []string{"changed Everyone else: 10 % on, 90 % off → 25 % on, 75 % off"}},
		"a rule between others": {`remarks({"targeting":{"if":[{"$ref":"a"},"on","off"]}},{"targeting":{"if":[{"$ref":"b"},"off",{"$ref":"a"},"on","off"]}})`, []string{"added Rule 1 (in segment b): off"}},
		"values":                {`remarks({"variants":{"on":true,"old":1}},{"variants":{"on":false,"new":2}})`, []string{"changed Variant on: true → false", "removed Variant old: 1", "added Variant new: 2"}},
		"a number of many digits": {
			`remarks(reading.readExact('{"variants":{"a":9007199254740993}}'),reading.readExact('{"variants":{"a":9007199254740992}}'))`,
			[]string{"changed Variant a: 9007199254740993 → 9007199254740992"},
		},
		"written in another way": {
			`remarks({"targeting":{"if":[{"$ref":"a"},"on","off"]}},{"targeting":{"?:":[{"$ref":"a"},"on","off"]}})`,
			[]string{`changed The rule is written in another way: {"if":[{"$ref":"a"},"on","off"]} → {"?:":[{"$ref":"a"},"on","off"]}`},
		},
		"a number for its digits": {
			`remarks({"targeting":{"if":[{"==":[{"var":"a"},1]},"on"]}},{"targeting":{"if":[{"==":[{"var":"a"},"1"]},"on"]}})`,
			[]string{"changed Rule 1 (a is “1”, which was: a is 1): on → on"},
		},
		"a member of their own": {`remarks({"x-team":{"a":1}},{"x-team":{"a":2}})`, []string{`changed Member x-team: {"a":1} → {"a":2}`}},
		"a member named like a part of JavaScript": {
			`remarks(reading.readExact('{"variants":{"constructor":1}}'),reading.readExact('{"variants":{"__proto__":1}}'))`,
			[]string{"removed Variant constructor: 1", "added Variant __proto__: 1"},
		},
		"a new roll-out":        {`[reading.writeExact(reading.withShares(undefined,[{variant:"on",weight:5},{variant:"off",weight:95}]))]`, []string{`{"fractional":[["on",5],["off",95]]}`}},
		"a roll-out in a rule":  {`[reading.writeExact(reading.withShares({"if":[{"$ref":"a"},"on",{"fractional":[{"var":"team"},["on",1],["off",1]]}]},[{variant:"on",weight:7},{variant:"off",weight:93}]))]`, []string{`{"if":[{"$ref":"a"},"on",{"fractional":[{"var":"team"},["on",7],["off",93]]}]}`}},
		"no one place for it":   {`[String(reading.withShares({"if":[{"$ref":"a"},"on","off"]},[]))]`, []string{"undefined"}},
		"lines with their near": {`reading.linesOf({"a":[1,2,3],"s":"x".repeat(90)},{"a":[1,2,4],"s":"x".repeat(90)}).map((l) => l.is)`, []string{"same", "removed", "added", "same", "same"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate[[]string](p, `(() => {
				const rules = (r) => reading.rulesOf(r).map((x) => (x.when ? reading.plain(x.when) : "everyone") + ": " + reading.outcomeText(x.then));
				const remarks = (a, b) => reading.remarksOf(a, b).map((r) => r.is + " " + r.what + (r.before !== undefined || r.after !== undefined ? ": " : "") +
					[r.before, r.after].filter((v) => v !== undefined).join(" → "));
				return `+c.code+` })()`)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Of real flags no change goes untold, whichever value in them it is of, and what is read is written back as it was.
func TestNoChangeGoesUntold(t *testing.T) {
	t.Parallel()
	p := reader(t)
	text, err := os.ReadFile("../../../examples/flags.json")
	if err != nil {
		t.Fatal(err)
	}
	untold := evaluate[[]string](p, `(() => {
		const file = reading.readExact(`+quoted(t, strings.TrimSpace(string(text)))+`), untold = [];
		const copy = (v) => reading.readExact(reading.writeExact(v));
		const places = (v, at = []) => Array.isArray(v) || reading.isObject(v) ? [at, ...Object.keys(v).flatMap((k) => places(v[k], [...at, k]))] : [at];
		for (const [key, flag] of Object.entries(file.flags)) {
			if (reading.writeExact(reading.readExact(reading.pretty(flag))) !== reading.writeExact(flag)) untold.push(key + " is written in another way");
			if (reading.remarksOf(flag, copy(flag)).length !== 0) untold.push(key + " differs from itself");
			for (const place of places(flag).filter((p) => p.length > 0)) {
				for (const change of ["remove", "text", "number"]) {
					const other = copy(flag);
					const parent = place.slice(0, -1).reduce((v, k) => v[k], other), last = place.at(-1);
					if (change === "remove") { if (Array.isArray(parent)) parent.splice(last, 1); else delete parent[last]; }
					else parent[last] = change === "text" ? "changed" : 12345.5;
					if (reading.remarksOf(flag, other).length === 0) untold.push(key + " " + place.join("/") + " " + change);
					if (!reading.linesOf(flag, other).some((l) => l.is === "added" || l.is === "removed")) untold.push(key + " " + place.join("/") + " " + change + " in lines");
				}
			}
		}
		return untold;
	})()`)
	if len(untold) != 0 {
		t.Errorf("%d changes are not told, such as %q", len(untold), untold[:min(len(untold), 5)])
	}
}
