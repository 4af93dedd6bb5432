package console_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/flagside/flagside/internal/publisher/api"
)

// A person who has no mouse signs in, finds a flag, rolls it out to 10 % and proposes that; another one approves; the first one applies it, and rolls it
// back from its history.
func TestEverythingByKeyboard(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	s.shop("prod")
	const key = "delivery-slots"
	before := s.flag("prod", key)
	s.write("prod", []api.CommandChange{{Key: "new-search", Document: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)}})
	was := s.flag("prod", "new-search")

	editor := s.open(browser, t, "")
	editor.visit("/console/")
	editor.shows("Sign in with a token")
	editor.forget() // 401 is how the page learns that it is to show this
	editor.tabTo("API token")
	editor.keys(secretOf("editor") + kb.Enter)
	editor.shows("delivery-slots")

	editor.search("new-sea")
	editor.await("the only flag that is called like that", `document.querySelectorAll("[role=row]").length === 1 && location.search === "?q=new-sea"`)
	editor.keys(kb.Enter)
	editor.shows("What it answers")
	editor.activate("Change percentages…")
	editor.await("the first percentage to have the focus", `document.activeElement.type === "number"`)
	editor.withControl("a")
	editor.keys("10")
	editor.activate("Review the change")
	editor.shows("must agree")
	editor.shows("10 % on, 90 % off")
	editor.tabTo("Reason")
	editor.keys("Ten in a hundred, for a week.")
	editor.activate("Propose for prod")
	editor.shows("Proposed.")
	if now := s.flag("prod", "new-search"); now != was {
		t.Fatalf("a proposal changed the flag to %s", now)
	}
	editor.activate("Open the request")
	editor.shows("another person must agree")
	address := evaluate[string](editor, "location.pathname")

	approver := s.open(browser, t, "approver")
	approver.visit("/console/prod/requests")
	approver.activate("new-search")
	approver.await("the request", "location.pathname === "+strconv.Quote(address))
	approver.shows("Not known: no sidecar")
	approver.activate("Approve")
	approver.shows("Approvals: 1 of 1")

	editor.shows("Approvals: 1 of 1") // without being loaded again
	editor.activate("Apply to prod")
	editor.shows("Applied at revision")
	if now := s.flag("prod", "new-search"); !strings.Contains(now, `["on",10]`) || !strings.Contains(now, `["off",90]`) {
		t.Fatalf("after applying the flag is %s", now)
	}

	editor.activate("new-search")
	editor.shows("History")
	editor.activate("Roll back to this…")
	editor.shows("must agree")
	editor.tabTo("Reason")
	editor.keys("It was slow.")
	editor.activate("Propose for prod")
	editor.activate("Open the request")
	editor.await("the request of the roll-back", `location.pathname.startsWith("/console/prod/requests/") && location.pathname !== `+strconv.Quote(address))
	id := evaluate[string](editor, `location.pathname.split("/").pop()`)
	r, err := s.client.Request(t.Context(), "prod", id)
	if err == nil {
		_, err = s.as("approver").ApproveRequest(t.Context(), "prod", id, r.Hash, api.ChangeHeaders{})
	}
	if err != nil {
		t.Fatal(err)
	}
	editor.activate("Apply to prod")
	editor.shows("Applied at revision")
	if now := s.flag("prod", "new-search"); now != was {
		t.Errorf("after the roll-back the flag is %s, want %s", now, was)
	}
	if now := s.flag("prod", key); now != before {
		t.Errorf("another flag has changed to %s", now)
	}
	approver.quiet()
	editor.quiet()
}

// No click in a list changes anything: it opens the change, which names the environment on its button.
func TestNoClickChangesAFlag(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.shop("staging")
	was := s.flag("staging", "checkout-enabled")
	tab := s.open(browser, t, "editor")
	for _, how := range []string{"mouse", "touch"} {
		tab.visit("/console/staging/flags?q=checkout-enabled")
		tab.shows("checkout-enabled")
		at := evaluate[struct{ X, Y float64 }](tab, `(() => { const r = document.querySelector(".state-link").getBoundingClientRect(); return { X: r.x + r.width / 2, Y: r.y + r.height / 2 } })()`)
		map[string]func(x, y float64){"mouse": tab.mouse, "touch": tab.touch}[how](at.X, at.Y)
		tab.shows("Apply to staging")
		if now := s.flag("staging", "checkout-enabled"); now != was {
			t.Fatalf("by %s one click made the flag %s", how, now)
		}
	}
	tab.visit("/console/staging/flags?q=checkout-enabled")
	tab.activate("checkout-enabled is on: review turning it off")
	tab.shows("Apply to staging")
	if now := s.flag("staging", "checkout-enabled"); now != was {
		t.Fatalf("one click made the flag %s", now)
	}
	tab.shows("3") // flags depend on it
	tab.tabTo("Reason")
	tab.keys("Naïve € test \"quoted\"")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if now := s.flag("staging", "checkout-enabled"); !strings.Contains(now, "DISABLED") {
		t.Fatalf("after applying the flag is %s", now)
	}
	if reason := s.history("staging", "checkout-enabled")[0].Reason; reason != "Naïve € test \"quoted\"" {
		t.Errorf("the reason is %q", reason)
	}
	tab.activate("Undo…")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if now := s.flag("staging", "checkout-enabled"); now != was {
		t.Errorf("after the undo the flag is %s, want %s", now, was)
	}
	tab.quiet()
}

// What has changed since a change was begun is not overwritten: the page shows both changes, and goes on from what is there now.
func TestNewerWorkIsNotOverwritten(t *testing.T) {
	t.Parallel()
	s, tab := shopping(t, "editor")
	tab.visit(s.toggling("staging", "checkout-enabled", false))
	tab.shows("Apply to staging")
	seen := s.patch("staging", "checkout-enabled", `{"owner":"payments"}`)
	tab.shows("The flag has changed since you looked") // while it was open
	tab.shows("payments")
	tab.forget() // 412 is what it tells
	tab.accessible(axe(t))
	tab.activate("Review your change on what is there now")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if now := s.flag("staging", "checkout-enabled"); !strings.Contains(now, "DISABLED") || !strings.Contains(now, "payments") {
		t.Errorf("one of two changes is lost: %s", now)
	}

	tab.visit(`/console/staging/change?do=` + `{"type":"toggle","key":"checkout-enabled","on":true,"ifMatch":"` + seen + `"}`)
	tab.shows("The flag has changed since you looked")
	tab.forget()
	tab.visit(`/console/staging/change?do={"type":"toggle","key":"checkout-enabled","on":true}`)
	tab.shows("This change cannot be shown")
	tab.quiet()
}

// A row that has moved while a person looked at it still means the flag whose name it has.
func TestRowsThatMoveChangeTheRightFlag(t *testing.T) {
	t.Parallel()
	s, tab := shopping(t, "editor")
	tab.visit("/console/staging/flags?sort=changed")
	tab.await("all rows", `document.querySelector("[role=table]")?.getAttribute("aria-rowcount") === "30"`)
	tab.keys("jjj")
	const selected = `(document.querySelector(".row.selected .cell-name a")?.innerText ?? "")`
	tab.await("a selected row", selected+` !== ""`)
	s.patch("staging", "search-ranking", `{"owner":"someone-else"}`)
	tab.await("the changed flag to be the first", `document.querySelector("[role=row] .cell-name a").innerText === "search-ranking"`)
	key := evaluate[string](tab, selected)
	tab.keys("t")
	tab.shows("Apply to staging")
	if title := evaluate[string](tab, `document.querySelector("h1").innerText`); !strings.Contains(title, key) {
		t.Fatalf("the title is %q, the row was of %s", title, key)
	}
	was := s.flag("staging", key)
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if now := s.flag("staging", key); now == was {
		t.Errorf("%s has not changed", key)
	}
	tab.quiet()
}

// What cannot wait goes without approval where policies permit that, with a reason, and stays open until it is reviewed.
func TestBreakingTheGlass(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	s.shop("prod")
	tab := s.open(browser, t, "admin")
	tab.visit(s.toggling("prod", "checkout-enabled", false))
	tab.activate("It cannot wait")
	tab.shows("Give a reason first.")
	tab.tabTo("Reason")
	tab.keys("The payment provider is down.")
	tab.activate("Apply to prod without approval")
	tab.shows("Applied without approval.")
	if now := s.flag("prod", "checkout-enabled"); !strings.Contains(now, "DISABLED") {
		t.Errorf("the flag is %s", now)
	}
	tab.activate("Open the request")
	tab.shows("to review")
	tab.quiet()
}

// mouse clicks at a place.
func (p *tab) mouse(x, y float64) {
	p.t.Helper()
	for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
		if _, err := chromedp.Call(p.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// touch taps at a place.
func (p *tab) touch(x, y float64) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true}); err != nil {
		p.t.Fatal(err)
	}
	for _, event := range []input.DispatchTouchEventParams{
		{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{{X: x, Y: y}}}, {Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}},
	} {
		if _, err := chromedp.Call(p.ctx, input.DispatchTouchEvent, event); err != nil {
			p.t.Fatal(err)
		}
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{}); err != nil {
		p.t.Fatal(err)
	}
}

// A request whose flag has changed since says so on its open page, and is updated to what is there now, after which it is to be approved.
func TestARequestThatWasOvertaken(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	s.shop("prod")
	r := s.propose("prod", "new-checkout", false, "Conversion fell.")
	tab := s.open(browser, t, "editor")
	tab.visit("/console/prod/requests/" + r.ID)
	tab.shows("another person must agree")
	other := s.propose("prod", "new-checkout", false, "Faster.")
	if _, err := s.as("approver").ApproveRequest(t.Context(), "prod", other.ID, other.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.as("editor").ApplyRequest(t.Context(), "prod", other.ID, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	tab.shows("What it was made from has changed since: new-checkout")
	tab.accessible(axe(t))
	tab.pictures("needs-rebase")
	if evaluate[bool](tab, `[...document.querySelectorAll("button")].some((b) => b.innerText.startsWith("Apply"))`) {
		t.Error("what was overtaken can be applied")
	}
	tab.activate("Withdraw")
	tab.await("its end", `document.querySelector("h1").innerText.includes("withdrawn")`)
	tab.quiet()
}
