package console_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// Whatever others write into reasons and keys, no cell of a table is a formula, and what a reader of CSV gets is what was written.
func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	p := reader(t)
	for _, text := range []string{
		`=HYPERLINK("http://evil.example","x")`, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "|cmd", "%x", "＝1", `a","=1`, "a\n=1", "plain", `"=1"`,
	} {
		events, err := json.Marshal([]api.Event{{Type: "change", Actor: text, Text: text, Documents: []api.EventDocument{{Kind: "flag", Key: text}}}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(evaluate[string](p, `reading.csv(JSON.parse(`+quoted(t, string(events))+`))`))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q: %q, %v", text, rows, err)
		}
		for _, cell := range rows[1] {
			if begins := strings.TrimSpace(cell); begins != "" && strings.ContainsAny(begins[:1], "=+-@|%") || strings.HasPrefix(begins, "＝") {
				t.Errorf("%q: a cell is %q", text, cell)
			}
		}
		if got := strings.TrimPrefix(rows[1][5], "'"); got != strings.ReplaceAll(text, "\r\n", "\n") {
			t.Errorf("the reason %q became %q", text, got)
		}
	}
}

// A person filters what happened, sees who signed a record, has the whole history verified, and saves what is shown.
func TestAudit(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	s.shop("prod")
	s.propose("prod", "new-checkout", false, "Conversion fell.")
	if _, err := s.as("viewer").Toggle(t.Context(), "prod", "dark-mode", false, s.seen("prod", "dark-mode"), api.ChangeHeaders{}); err == nil {
		t.Fatal("a viewer changed a flag")
	}
	tab := s.open(browser, t, "viewer")
	tab.visit("/console/prod/audit?kind=refusals")
	tab.shows("was refused: change")
	tab.visit("/console/prod/audit?flag=new-checkout")
	tab.shows("proposed to change")
	if strings.Contains(tab.String(), "was refused") {
		t.Error("what is about another flag is shown")
	}
	tab.visit("/console/prod/audit?actor=approver")
	tab.shows("approved the change of")
	if strings.Contains(tab.String(), "was refused") {
		t.Error("what another one did is shown")
	}
	tab.visit("/console/prod/audit?since=" + time.Now().AddDate(0, 0, 2).Format("2006-01-02"))
	tab.shows("Nothing happened that is like this.")
	tab.visit("/console/prod/audit?flag=new-checkout&kind=changes")
	tab.activate("Difference\nof new-checkout")
	tab.shows("The document is new")
	tab.visit("/console/prod/audit?flag=new-checkout")
	tab.shows("proposed to change")
	tab.activate("Verify the history")
	tab.shows("Verified.")
	tab.await("the proof of a record", `[...document.querySelectorAll(".audit button")].some((b) => b.innerText.startsWith("record"))`)
	tab.activate(evaluate[string](tab, `[...document.querySelectorAll(".audit button")].find((b) => b.innerText.startsWith("record")).innerText`))
	tab.await("who signed it", `document.querySelector(".audit .tag.good")?.innerText === "signed"`)
	evaluate[bool](tab, `URL.createObjectURL = (b) => { b.text().then((text) => (window.saved = text)); return "data:," }; HTMLAnchorElement.prototype.click = () => {}; true`)
	tab.activate("Save as CSV")
	tab.await("the file", `window.saved?.startsWith('"time","type","actor"') && window.saved.includes("Conversion fell.")`)
	tab.activate("Save as JSON Lines")
	tab.await("the other file", `window.saved?.startsWith("{") && window.saved.trim().split("\n").every((l) => JSON.parse(l).type)`)
	tab.accessible(axe(t))
	tab.quiet()
}

// seen is what was seen of a flag.
func (s *served) seen(environment, key string) (p client.Precondition) {
	s.t.Helper()
	_, p, err := s.client.Document(s.t.Context(), environment, document.ID{Kind: document.KindFlag, Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}
