package console_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// holding keeps the first answer that has something under way, for as long as it takes to look at it.
const holding = `{
	const ask = window.fetch; let held;
	window.fetch = async (at, o) => {
		const answer = await ask(at, o);
		if (!String(at).endsWith("/tasks")) { return answer }
		const text = await answer.text();
		if (JSON.parse(text).items?.some((t) => t.state === "running" && t.done > 500)) { held ??= text }
		return new Response(held ?? text, { status: answer.status, headers: answer.headers });
	};
}`

// How far a new epoch and a verification are is shown in the tab that has begun them, in another one, and after the page was loaded again.
func TestLongWorkIsFoundAgain(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	const count = 2000
	s.many("staging", count)
	tab := s.open(browser, t, "admin")
	const running = `document.querySelector("aside.task progress")?.value > 0`
	other := tab.beside()
	if _, err := chromedp.Call(other.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: holding}); err != nil {
		t.Fatal(err)
	}
	tab.visit("/console/staging/settings")
	tab.shows("Write a new epoch…")
	evaluate[bool](tab, `(setInterval(() => { window.seen ||= `+running+` }, 20), true)`)
	for n := 1; ; n++ { // until it was seen under way: it takes this publisher a second or two
		tab.activate("Write a new epoch…")
		tab.tabTo("Reason\nIt stays in the records. Name no person.")
		tab.keys("A drill.")
		tab.activate("Write it for staging")
		tab.await("the dialog to be gone", `!document.querySelector("dialog")`)
		tab.await("how far it is, or its end", `window.seen === true || [...document.querySelectorAll("table.work tbody tr")].filter((r) => r.innerText.includes("A new epoch was written")).length === `+strconv.Itoa(n))
		if evaluate[bool](tab, `window.seen === true`) {
			break
		}
		if n == 5 {
			t.Fatal("five new epochs were never seen under way")
		}
	}
	tab.visit("/console/staging/settings")
	tab.await("the new epoch, after the page was loaded again", `[...document.querySelectorAll("table.work tbody th")].some((h) => h.innerText.includes("new epoch"))`)
	tab.await("its end", `[...document.querySelectorAll("table.work tbody tr")].every((r) => r.innerText.includes("done"))`)
	tab.shows("Every change is risky")
	tab.forget() // what could not be read while the log began again was 503
	tab.shows(grouped(uint64(count)) + " of " + grouped(uint64(count)) + " documents")
	tab.accessible(axe(t))
	tab.pictures("work", "#work")
	var work sync.WaitGroup
	defer work.Wait()
	ended := make(chan struct{})
	defer close(ended)
	work.Go(func() { // begun elsewhere, as long as the pages look at it
		for {
			if _, err := s.client.VerifyAudit(t.Context(), "staging"); err != nil {
				t.Errorf("verification: %v", err)
				return
			}
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	other.visit("/console/staging/flags")
	other.await("how far a verification is that was begun elsewhere", running)
	other.shows("Verifying the history")
	other.shows("records, begun by admin")
	other.accessible(axe(t))
	other.pictures("task")
	tab.visit("/console/staging/audit")
	tab.await("how far it is on its page", `document.querySelector("main .note progress")?.value > 0`)
	tab.shows("You can leave this page meanwhile.")
	tab.visit("/console/staging/audit")
	tab.shows("Verified.")
	tab.quiet()
	other.quiet()
}
