package console_test

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Ten thousand flags are all there, are drawn as far as they are visible, and are found as they are typed.
func TestTenThousandFlags(t *testing.T) { // not beside others, which would make it slow
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	const count = 10_000
	s.many("staging", count)
	tab := s.open(browser, t, "viewer")
	tab.visit("/console/staging/flags")
	tab.shows("flag-00000")
	paint := evaluate[float64](tab, `performance.now()`)
	tab.await("all flags", fmt.Sprintf(`document.querySelector("[role=table]").getAttribute("aria-rowcount") === "%d"`, count))
	if rows := evaluate[int](tab, `document.querySelectorAll("[role=row]").length`); rows > 60 {
		t.Errorf("%d rows are drawn, and hardly 20 are visible", rows)
	}
	tab.search("flag-09999")
	tab.await("the last flag", `document.querySelectorAll("[role=row]").length === 1 && document.querySelector("[role=row] .cell-name a").innerText === "flag-09999"`)
	stroke := evaluate[float64](tab, `(async () => {
		const input = document.querySelector("input[type=search]"), times = [];
		for (const text of ["f", "fl", "fla", "flag", "flag-0", "flag-09", "flag-099"]) {
			const start = performance.now();
			input.value = text;
			input.dispatchEvent(new InputEvent("input", { bubbles: true }));
			await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
			times.push(performance.now() - start);
		}
		return times.sort((a, b) => a - b)[3];
	})()`)
	tab.visit("/console/staging/flags?owner=team-7")
	tab.shows("500 of 10000")
	evaluate[bool](tab, `(scrollTo(0, document.body.scrollHeight), true)`)
	tab.shows("flag-09987")
	tab.accessible(axe(t))
	tab.quiet()
	t.Attr("paint_10k_ms", fmt.Sprintf("%.0f", paint))
	t.Attr("key_10k_ms", fmt.Sprintf("%.0f", stroke))
	t.Logf("first flags after %.0f ms, a key stroke takes %.0f ms", paint, stroke)
}

// many creates flags from flag-00000 on.
func (s *served) many(environment string, count int) {
	s.t.Helper()
	for first := 0; first < count; first += 1000 {
		var changes []api.CommandChange
		for i := first; i < min(first+1000, count); i++ {
			body := fmt.Sprintf(`{"description":"Number %d of many.","owner":"team-%d","state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`, i, i%20)
			changes = append(changes, api.CommandChange{Key: fmt.Sprintf("flag-%05d", i), Document: []byte(body)})
		}
		if _, err := s.client.ChangeDocuments(s.t.Context(), environment, api.ChangeDocuments{Changes: changes}, api.ChangeHeaders{}); err != nil {
			s.t.Fatal(err)
		}
	}
}
