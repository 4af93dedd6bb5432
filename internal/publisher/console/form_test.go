package console_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
)

// Whatever a rule is, its form writes it exactly as it was read: of the cases, the fuzz corpora and the vectors of the evaluation, every value in every place is
// taken for a rule, for a condition and for a flag.
func TestFormAndJSONAreTheSame(t *testing.T) {
	t.Parallel()
	p := reader(t)
	rules, drawn := 0, 0
	for name, text := range corpus(t) {
		found := evaluate[struct {
			Wrong        []string
			Rules, Drawn int
		}](p, `(() => {
			const Wrong = [];
			let Rules = 0, Drawn = 0;
			const written = (v) => v === undefined ? "absent" : reading.writeExact(v);
			const visit = (v) => {
				Rules++;
				const form = reading.formOf(v);
				if (form.rules.some((r) => r.when.parts.some((p) => p.is !== "json")) || form.otherwise && form.otherwise.is !== "json") Drawn++;
				if (written(reading.targetingOf(form)) !== written(v)) Wrong.push("rule " + written(v));
				if (written(reading.ofWhen(reading.whenOf(v))) !== written(v)) Wrong.push("condition " + written(v));
				if (reading.isObject(v) && written(reading.renamed(v, "x", "x")) !== written(v)) Wrong.push("flag " + written(v));
				if (Array.isArray(v) || reading.isObject(v)) Object.values(v).forEach(visit);
			};
			visit(reading.readExact(`+quoted(t, text)+`));
			return { Wrong, Rules, Drawn };
		})()`)
		if len(found.Wrong) != 0 {
			t.Errorf("%s: %d are written in another way than they were read, such as %s", name, len(found.Wrong), found.Wrong[0])
		}
		rules += found.Rules
		drawn += found.Drawn
	}
	t.Logf("%d values were read, %d of them have fields", rules, drawn)
	if rules < 2000 || drawn < 500 {
		t.Error("these are too few to prove anything")
	}
}

// corpus returns the JSON files of the evaluation, what its fuzz targets remember that is JSON, and the vectors beside the project, by name.
func corpus(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	add := func(name, text string) {
		if value := jsontext.Value(text); value.IsValid() {
			all[name] = text
		}
	}
	for _, folder := range []string{"../../../eval/testdata", "../../../examples", "../../../../shared/vectors"} {
		err := filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if filepath.Ext(file) == ".json" {
				add(file, string(content))
				return nil
			}
			for i, line := range strings.Split(string(content), "\n") {
				quoted, ok := strings.CutPrefix(line, "[]byte(")
				if text, err := strconv.Unquote(strings.TrimSuffix(quoted, ")")); ok && err == nil {
					add(file+":"+strconv.Itoa(i), text)
				}
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return all
}

// What the form changes is in the JSON, and what is written as JSON is in the form. What has no fields stays as it is.
func TestFormAndJSONSideBySide(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	const key = "side-by-side"
	s.write("staging", []api.CommandChange{{Key: key, Document: []byte(`{"state":"DISABLED","x-own":{"number":9007199254740993},"variants":{"on":true,"off":false},"defaultVariant":"off",
		"targeting":{"if":[{"some":[{"var":"roles"},{"==":[{"var":""},"a"]}]},"on",{"==":[{"var":"country"},"DE"]},"on",{"cat":["o","ff"]}]}}`)}})
	tab := s.open(browser, t, "editor")
	tab.visit("/console/staging/flags/" + key + "/edit")
	tab.shows("The publisher would take it.")

	tab.fill("State", "ENABLED")
	tab.fill("value of condition 1 of rule 2", "AT")
	tab.click("Add a rule")
	tab.fill("Attribute of condition 1 of rule 3", "tier")
	tab.fill("value of condition 1 of rule 3", "gold")
	tab.fill("Name of variant 2", "renamed")
	tab.await("the form to be in the JSON", `(() => { const text = `+editorText+`; return ["ENABLED", '"AT"', '"tier"', '"gold"', '"renamed": false', "9007199254740993"].every((part) => text.includes(part)) })()`)
	tab.accessible(axe(t))

	tab.write(`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"c"}`)
	tab.await("the JSON to be in the form", `[...document.querySelectorAll(".variants-form input.name")].map((e) => e.value).join() === "a,b"`)
	tab.await("the publisher to say where it is wrong", `document.querySelector(".marks")?.innerText.includes("/defaultVariant")`)
	tab.await("the mark in the text", `document.querySelector(".editor-host").shadowRoot.querySelector(".cm-lintRange-error")?.textContent === '"c"'`)
	tab.accessible(axe(t))
	tab.pictures("wrong")
	tab.forget() // 422 is what it tells
	tab.write(`{"state":`)
	tab.shows("The JSON cannot be read")
	tab.keys(kb.Tab) // indents
	tab.await("the focus to be in the editor still", `document.activeElement.className === "editor-host"`)
	tab.keys(kb.Escape + kb.Tab)
	tab.await("the focus to have left the editor", `document.activeElement.className !== "editor-host"`)
	tab.write(`{"state":"ENABLED","variants":{"a":1,"b":2.50},"defaultVariant":"a"}`)
	tab.shows("The publisher would take it.")
	tab.keys(kb.Escape)
	tab.activate("Review the change")
	tab.shows("Apply to staging")
	tab.activate("Edit") // what was written is not lost
	tab.shows("This is what you had begun to write")
	tab.await("the text", editorText+`.includes("2.50")`)
	tab.activate("Review the change")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if now := s.flag("staging", key); !strings.Contains(now, "2.50") {
		t.Errorf("the flag is %s", now)
	}
	tab.visit("/console/staging/flags/" + key + "/edit")
	tab.shows("The publisher would take it.")
	if strings.Contains(tab.String(), "This is what you had begun to write") {
		t.Error("what was applied is still taken for unfinished")
	}
	tab.quiet()
}

// Prerequisites have fields, with the variants of the flag that they name.
func TestPrerequisitesInTheForm(t *testing.T) {
	t.Parallel()
	_, tab := shopping(t, "editor")
	tab.visit("/console/staging/flags/new-checkout/edit")
	tab.await("the prerequisite", `[...document.querySelectorAll(".prerequisites-form input[type=checkbox]:checked")].map((e) => e.ariaLabel).join() === "Prerequisite 1: on"`)
	tab.click("Add a prerequisite")
	tab.fill("Flag of prerequisite 2", "search-ranking")
	tab.await("the variants of the flag", labelled("Prerequisite 2: semantic")+" !== undefined")
	evaluate[bool](tab, "("+labelled("Prerequisite 2: semantic")+".click(), true)")
	tab.await("the JSON", editorText+`.replace(/\s+/g, "").includes('{"flag":"search-ranking","variants":["semantic"]}')`)
	tab.shows("The publisher would take it.")
	tab.accessible(axe(t))
	tab.click("Remove prerequisite 2")
	tab.await("the JSON without it", "!"+editorText+`.includes("search-ranking")`)
	tab.shows("Nothing is different.")
	tab.quiet()
}

// A segment is edited likewise, and the change names the flags that it concerns.
func TestEditingASegment(t *testing.T) {
	t.Parallel()
	s, tab := shopping(t, "editor")
	tab.visit("/console/staging/segments/european-union/edit")
	tab.shows("The publisher would take it.")
	tab.fill("Values of condition 1 of the segment, one a line", "DE\nAT\nCH")
	tab.await("the JSON", editorText+`.includes('["DE", "AT", "CH"]')`)
	tab.activate("Review the change")
	tab.shows("Apply to staging")
	tab.await("the flags that name it", `[...document.querySelectorAll("[aria-labelledby=stake] a")].map((a) => a.innerText).join() === `+strconv.Quote(strings.Join(s.naming("staging", "european-union"), ",")))
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	body, _, err := s.client.Document(t.Context(), "staging", document.ID{Kind: document.KindSegment, Key: "european-union"})
	if err != nil || !strings.Contains(string(body), `["DE","AT","CH"]`) {
		t.Errorf("the segment is %s, %v", body, err)
	}
	tab.quiet()
}

// editorText is the text in the editor, as far as it is drawn.
const editorText = `[...document.querySelector(".editor-host").shadowRoot.querySelectorAll(".cm-line")].map((e) => e.textContent).join("\n")`

// write replaces the text in the editor, as a person does by keys.
func (p *tab) write(text string) {
	p.t.Helper()
	p.await("the editor", `document.querySelector(".editor-host")?.dataset.state === "ready"`)
	evaluate[bool](p, `(document.querySelector(".editor-host").shadowRoot.querySelector(".cm-content").focus(), true)`)
	p.withControl("a")
	p.keys(text)
}

// fill makes the text of a field another one. Fields that wait for the end of an input get it.
func (p *tab) fill(label, text string) {
	p.t.Helper()
	field := labelled(label)
	p.await("the field "+label, field+" !== undefined")
	evaluate[bool](p, `(() => {
		const field = `+field+`;
		field.focus();
		field.value = `+quoted(p.t, text)+`;
		field.dispatchEvent(new InputEvent("input", { bubbles: true }));
		field.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	})()`)
}

// click clicks on a button.
func (p *tab) click(name string) {
	p.t.Helper()
	button := `[...document.querySelectorAll("button, a, summary")].find((e) => !e.disabled && [e.innerText.trim(), e.getAttribute("aria-label")].includes(` + quoted(p.t, name) + `))`
	p.await("the button "+name, button+" !== undefined")
	evaluate[bool](p, `(`+button+`.click(), true)`)
}

func labelled(label string) string {
	return `[...document.querySelectorAll("input, textarea, select")].find((e) => [e.getAttribute("aria-label"), e.labels?.[0]?.firstChild?.textContent.trim()].includes(` + strconv.Quote(label) + `))`
}

// naming returns the keys of the flags whose documents name a segment.
func (s *served) naming(environment, segment string) (keys []string) {
	s.t.Helper()
	all, err := s.client.Documents(s.t.Context(), environment, document.KindFlag, api.DocumentQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range all.Items {
		if strings.Contains(string(f.Document), `{"$ref":"`+segment+`"}`) {
			keys = append(keys, f.Key)
		}
	}
	if len(keys) == 0 {
		s.t.Fatal("no flag names it")
	}
	return keys
}
