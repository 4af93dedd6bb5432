package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/flagside/flagside/internal/waiting"
)

// chromium is the browser that all tests share, each in tabs of its own.
var chromium struct {
	once sync.Once
	ctx  context.Context //nolint:containedctx // a browser of chromedp is a context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

// browser returns Chromium, or skips the test where there is none. A CI has it.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: starts no browser")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "chromium is not installed: apt-get install chromium")
	}
	chromium.once.Do(func() { startChromium(program) })
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	return chromium.ctx
}

func startChromium(program string) {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.WindowSize(1280, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
	chromium.stop = func() {
		end()
		endAllocator()
	}
}

// missing skips a test for want of something that a CI has.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// axe returns the accessibility checks of axe-core, which go run ./build/console -axe fetches; empty if it did not.
func axe(t *testing.T) string {
	t.Helper()
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(filepath.Join(folder, "flagside", "axe.js"))
	if err != nil {
		const what = "axe-core is not there: go run ./build/console -axe"
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		t.Log(what)
	}
	return string(code)
}

// tab is a page in a browser of a person.
type tab struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // a tab of chromedp is a context
	served *served

	lock  sync.Mutex
	wrong []string // what the browser complained of
}

// watch tells of violations of the policy as errors of the page.
const watch = `addEventListener("securitypolicyviolation", (e) => console.error("policy violation: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample))`

// shopping returns a publisher with the example shop in the unprotected environment staging, and a tab of a person with a role.
func shopping(t *testing.T, role string) (*served, *tab) {
	t.Helper()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.shop("staging")
	return s, s.open(browser, t, role)
}

// open opens a tab in which a role is signed in; the empty role is not.
func (s *served) open(browser context.Context, t *testing.T, role string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, served: s}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	if role != "" {
		c := s.session(role)
		cookie := network.SetCookieParams{Name: c.Name, Value: c.Value, URL: s.url, HTTPOnly: &c.HttpOnly, SameSite: network.CookieSameSiteStrict}
		if _, err := chromedp.Call(ctx, network.SetCookie, cookie); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// listen keeps what the browser complains of.
func (p *tab) listen(event any) {
	p.lock.Lock()
	defer p.lock.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			p.wrong = append(p.wrong, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		p.wrong = append(p.wrong, e.ExceptionDetails.Text)
		if e.ExceptionDetails.Exception != nil {
			p.wrong = append(p.wrong, e.ExceptionDetails.Exception.Description)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			for _, argument := range e.Args {
				p.wrong = append(p.wrong, string(argument.Value)+argument.Description)
			}
		}
	}
}

// forget forgets complaints that were to be expected.
func (p *tab) forget() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.wrong = nil
}

// quiet fails the test if the browser complained.
func (p *tab) quiet() {
	p.t.Helper()
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, wrong := range p.wrong {
		p.t.Errorf("the browser says: %s", wrong)
	}
	p.wrong = nil
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// evaluate returns what JavaScript in the page gives.
func evaluate[T any](p *tab, code string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](code, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", code, err)
	}
	return value
}

// visit goes to an address.
func (p *tab) visit(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.served.url + address))
}

// await waits until JavaScript in the page gives true.
func (p *tab) await(what, code string) {
	p.t.Helper()
	waiting.Until(p.t, what, func() bool {
		holds, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](code))
		return err == nil && holds
	}, p)
}

// String returns what the page shows.
func (p *tab) String() string {
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// shows waits until the page has a text.
func (p *tab) shows(text string) {
	p.t.Helper()
	p.await("the text "+text, "document.body.innerText.includes("+strconv.Quote(text)+")")
}

// keys presses keys, one after the other.
func (p *tab) keys(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// tabTo presses Tab until what has the focus is called like that.
func (p *tab) tabTo(name string) {
	p.t.Helper()
	const focused = `(() => { const e = document.activeElement.shadowRoot?.activeElement ?? document.activeElement; return e.getAttribute("aria-label") || e.labels?.[0]?.innerText.trim() || e.innerText.trim() })()`
	var seen []string
	for range 150 {
		now := evaluate[string](p, focused)
		if now == name {
			return
		}
		seen = append(seen, now)
		p.keys(kb.Tab)
	}
	p.t.Fatalf("Tab does not come to %q, only to %q\n%s", name, seen, p)
}

// activate goes to what is called like that by Tab, and presses Enter.
func (p *tab) activate(name string) {
	p.t.Helper()
	p.await(name+" to be there", `[...document.querySelectorAll("a, button, summary")].some((e) => !e.disabled && [e.innerText.trim(), e.getAttribute("aria-label")].includes(`+strconv.Quote(name)+`))`)
	p.tabTo(name)
	p.keys(kb.Enter)
}

// search presses the key that leads to the search of a list, and types.
func (p *tab) search(text string) {
	p.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} { // a key that writes nothing, as the page wants it
		if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: "/", Code: "Slash"}); err != nil {
			p.t.Fatal(err)
		}
	}
	p.await("the search to have the focus", `document.activeElement?.type === "search"`)
	p.keys(text)
}

// withControl presses a key together with Ctrl.
func (p *tab) withControl(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

// size makes the window so large, light or dark.
func (p *tab) size(width, height int64, scheme string) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}); err != nil {
		p.t.Fatal(err)
	}
}

// picture writes what the tab shows into a file.
func (p *tab) picture(file string) {
	p.t.Helper()
	content, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// pictures writes what the tab shows in the middle of a test into the folder that FLAGSIDE_PICTURES names, light and wide, and dark and narrow, from the
// element on that a selector names, if one does.
func (p *tab) pictures(name string, from ...string) {
	p.t.Helper()
	folder := os.Getenv("FLAGSIDE_PICTURES")
	if folder == "" {
		return
	}
	for _, look := range []struct {
		width  int64
		scheme string
	}{{390, "dark"}, {1280, "light"}} {
		p.size(look.width, 900, look.scheme)
		for _, selector := range from {
			evaluate[bool](p, `(document.querySelector(`+strconv.Quote(selector)+`).scrollIntoView({ block: "center" }), true)`)
		}
		p.picture(filepath.Join(folder, fmt.Sprintf("console-%s-%s-%d.png", name, look.scheme, look.width)))
	}
}

// violation is what axe-core found.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// accessible fails the test for each serious or critical violation that axe-core finds.
func (p *tab) accessible(code string) {
	p.t.Helper()
	if code == "" {
		return
	}
	evaluate[bool](p, code+";true")
	found := evaluate[[]violation](p, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => (
		{ ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => ({ HTML: n.html, FailureSummary: n.failureSummary })) })))`)
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			p.t.Errorf("axe-core: %s: %s: %s\n%s\n%s", v.Impact, v.ID, v.Help, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
		}
	}
}
