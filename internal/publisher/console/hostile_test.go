package console_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/api"
)

// hostile are texts that a page may take for markup, for a script, for its own words, or for too much.
var hostile = []string{
	`<img src=x onerror="window.hit=1">`,
	`"><script>window.hit=1</script>`,
	`javascript:window.hit=1`,
	"\u202eevil\u2066 prod",
	`{{constructor.constructor("window.hit=1")()}}`,
	`${window.hit=1}`,
}

// Whatever others write into keys, values, reasons and descriptions is shown as they wrote it, and never executed.
func TestHostileTextsAreShown(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.create("other", false)
	var changes []api.CommandChange
	for i, text := range hostile {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		q := string(quoted)
		body := `{"description":` + q + `,"owner":` + q + `,"tags":[` + q + `],"state":"ENABLED","variants":{` + q + `:` + q + `,"other":"b"},"defaultVariant":` + q + `,
			"targeting":{"if":[{"==":[{"var":` + q + `},` + q + `]},` + q + `,{"fractional":[[` + q + `,1],["other",1]]}]}}`
		changes = append(changes, api.CommandChange{Key: key(i), Document: []byte(body)})
	}
	big := `{"state":"ENABLED","variants":{"a":{"text":"` + strings.Repeat("<b>x</b>", 60_000) + `"},"b":{}},"defaultVariant":"a","x-__proto__":{"__proto__":{"polluted":1}},"metadata":{"constructor":"<i>"}}`
	changes = append(changes, api.CommandChange{Key: "big", Document: []byte(big)})
	if _, err := s.client.ChangeDocuments(t.Context(), "staging", api.ChangeDocuments{Changes: changes}, api.ChangeHeaders{Reason: hostile[0]}); err != nil {
		t.Fatal(err)
	}
	tab := s.open(browser, t, "editor")
	tab.visit("/console/staging/flags")
	tab.shows(hostile[0])
	for i := range hostile {
		address := "/console/staging/flags/" + url.PathEscape(key(i))
		tab.visit(address)
		tab.shows("History")
		tab.await("the reason", `document.querySelector(".reason") !== null`)
		tab.shows(hostile[i])
		if title := evaluate[string](tab, `document.querySelector("h1 bdi").textContent`); title != key(i) {
			t.Errorf("the title is %q, want %q", title, key(i))
		}
		tab.visit(address + "/edit")
		tab.shows("The publisher would take it.")
		tab.visit(s.toggling("staging", key(i), false))
		tab.shows("Apply to staging")
	}
	tab.visit("/console/staging/activity")
	tab.shows(hostile[0])
	tab.visit("/console/staging/audit")
	tab.shows(hostile[0])
	tab.visit("/console/staging/playground")
	tab.shows(key(0))
	tab.visit("/console/other/compare?with=staging")
	tab.shows(key(0))
	tab.visit("/console/staging/flags/big/edit")
	tab.shows("The publisher would take it.")
	tab.visit("/console/staging/flags/big")
	tab.shows("History")
	tab.visit(s.toggling("staging", "big", false)) // half a megabyte, before and after
	tab.shows("Apply to staging")
	tab.activate("Line by line")
	if drawn := evaluate[int](tab, `document.querySelectorAll("*").length`); drawn > 1500 {
		t.Errorf("the difference of a large value has %d elements", drawn)
	}
	tab.visit("/console/" + url.PathEscape(hostile[0]) + "/flags?q=" + url.QueryEscape(hostile[1]))
	tab.shows("Not found")
	tab.visit("/console/staging/change?do=" + url.QueryEscape(hostile[1]))
	tab.shows("No change")
	if evaluate[bool](tab, `"hit" in window || "polluted" in {}`) {
		t.Error("a text was executed")
	}
	tab.quiet()
}

// key is a key of a flag with as many marks of markup as keys may have.
func key(i int) string { return `<b onclick="x">` + strconv.Itoa(i) + `</b>/..` }
