package console_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/go-json-experiment/json"
)

// A person types a context on the page of a flag and sees at once what the flag answers, by which rule, and how; and after the flag was changed, what it answers then.
func TestTryAContext(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.shop("staging")
	tab := s.open(browser, t, "viewer")
	tab.visit("/console/staging/flags/one-click-checkout")
	tab.activate("Try a context…")
	tab.tabTo("Context as JSON")
	tab.withControl("a")
	tab.keys(`{"targetingKey":"u","email":"ada@shop.example","tier":"gold","orders":20}`)
	tab.await("the answer", `document.querySelector(".live-answer")?.innerText.includes("on true")`)
	tab.shows("TARGETING_MATCH a rule decided: rule 1, in segment loyal-customers")
	tab.shows("Prerequisite new-checkout answers on: met")
	tab.keys(kb.Backspace)
	tab.shows("This is no JSON")
	tab.keys("}")
	s.toggle("staging", "one-click-checkout", false)
	tab.await("the answer of the flag that was turned off meanwhile", `document.querySelector(".live-answer")?.innerText.includes("the default of the application")`)
	tab.shows("DISABLED the flag is off")
	tab.quiet()
}

// Contexts are kept in the browser, by environment, and each is a column of answers.
func TestPlayground(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.create("other", false)
	s.shop("staging")
	tab := s.open(browser, t, "viewer")
	tab.visit("/console/staging/playground?q=free-shipping")
	tab.shows("free-shipping-from")
	tab.tabTo("Context 1 as JSON")
	tab.withControl("a")
	tab.keys(`{"targetingKey":"u","country":"DE"}`)
	tab.activate("Add a context")
	tab.tabTo("Context 2 as JSON")
	tab.withControl("a")
	tab.keys(`{"targetingKey":"u","tier":"platinum"}`)
	const variants = `[...document.querySelectorAll(".answers .variant")].map((v) => v.innerText).join(" ")`
	tab.await("both answers", variants+` === "low always"`)
	tab.visit("/console/staging/playground?q=free-shipping")
	tab.await("both answers, after the page was loaded again", variants+` === "low always"`)
	tab.tabTo(evaluate[string](tab, `[...document.querySelectorAll("button.cell")].at(1).innerText.trim()`))
	tab.keys(kb.Enter)
	tab.shows("rule 1, tier is “platinum”")
	tab.shows("Step by step")
	tab.accessible(axe(t))
	tab.visit("/console/other/playground")
	tab.await("a context of its own", `[...document.querySelectorAll("textarea")].map((a) => a.value).join() === '{"targetingKey": "user-1"}'`)
	tab.quiet()
}

// Whatever stands in a key or a context, a shell that gets the copied commands does what they say, and nothing else.
func TestCopiedCommands(t *testing.T) {
	t.Parallel()
	p := reader(t)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to try commands in")
	}
	for _, text := range append(slices.Clone(hostile), "a'b", "$(touch x)", "`touch x`", "a\nb", `a"b`, `\`, "30", "true", `"quoted"`, "", "!!", "*", "~", "ü", "a=b", "--flag") {
		context := map[string]any{"targetingKey": text, "n": 1.5, "list": []any{text}}
		data, err := json.Marshal(context, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		code := `reading.readExact(` + quoted(t, string(data)) + `)`
		words := func(command string) []string {
			run := exec.CommandContext(t.Context(), shell, "-c", `curl() { printf '%s\0' "$@"; }; flagside() { printf '%s\0' "$@"; }; `+command)
			run.Dir = t.TempDir()
			out, err := run.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", command, err, out)
			}
			return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		}
		got := words(evaluate[string](p, `reading.curl(`+quoted(t, text)+`, `+code+`)`))
		if len(got) != 8 || !strings.HasPrefix(got[3], "http://127.0.0.1:8016/ofrep/v1/evaluate/flags/") || got[7] != `{"context":`+string(data)+`}` {
			t.Errorf("%q: curl gets %q", text, got)
		}
		command := evaluate[string](p, `reading.commandLine("prod", `+quoted(t, text)+`, `+code+`) ?? ""`)
		if command == "" {
			if !strings.HasPrefix(text, "-") {
				t.Errorf("%q: there is no command", text)
			}
			continue
		}
		got = words(command)
		if len(got) != 11 || got[2] != text || !slices.Contains(got, `n=1.5`) {
			t.Errorf("%q: flagside gets %q", text, got)
		}
		if at := slices.IndexFunc(got, func(w string) bool { return strings.HasPrefix(w, "targetingKey=") }); at < 0 || meaning(got[at]) != text {
			t.Errorf("%q: flagside gets %q", text, got)
		}
	}
}

// meaning returns what the command line makes of a member of a context: what is JSON is taken as JSON.
func meaning(member string) string {
	_, text, _ := strings.Cut(member, "=")
	var value string
	if json.Unmarshal([]byte(text), &value) == nil {
		return value
	}
	return text
}
