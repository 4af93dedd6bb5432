package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// counting counts the streams of events that a tab opens.
const counting = `window.streams = 0; window.EventSource = class extends EventSource { constructor(...all) { super(...all); window.streams++; } }`

// Eight tabs of one person share one stream of events, and each shows a change at once. When the tab that has the stream goes elsewhere, another one opens it.
// Browsers allow six connections to one publisher, so with a stream for each tab the seventh would wait for ever.
func TestEightTabsShareOneStream(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.shop("staging")
	first := s.open(browser, t, "editor")
	all := []*tab{first}
	for range 7 {
		all = append(all, first.beside())
	}
	for _, tab := range all {
		if _, err := chromedp.Call(tab.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: counting}); err != nil {
			t.Fatal(err)
		}
		tab.visit("/console/staging/flags/checkout-enabled")
		tab.shows("What it answers")
	}
	s.patch("staging", "checkout-enabled", `{"owner":"the-first-owner"}`)
	leader := -1
	for i, tab := range all {
		tab.shows("owner the-first-owner")
		switch streams := evaluate[int](tab, "window.streams"); {
		case streams == 1 && leader == -1:
			leader = i
		case streams != 0:
			t.Errorf("tab %d has %d streams, and tab %d has one", i, streams, leader)
		}
	}
	if leader == -1 {
		t.Fatal("no tab has a stream")
	}
	all[leader].do(chromedp.Navigate("about:blank"))
	rest := append(all[:leader:leader], all[leader+1:]...)
	s.patch("staging", "checkout-enabled", `{"owner":"the-second-owner"}`)
	streams := 0
	for _, tab := range rest {
		tab.shows("owner the-second-owner")
		streams += evaluate[int](tab, "window.streams")
	}
	if streams != 1 {
		t.Errorf("seven tabs have %d streams", streams)
	}
	for _, tab := range rest {
		tab.quiet()
	}
	if !strings.Contains(s.flag("staging", "checkout-enabled"), "the-second-owner") {
		t.Error("the flag has another owner")
	}
}

// beside opens another tab of the same person.
func (p *tab) beside() *tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	other := &tab{t: p.t, ctx: ctx, served: p.served}
	if err := chromedp.Listen(ctx, other.listen); err != nil {
		p.t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		p.t.Fatal(err)
	}
	return other
}
