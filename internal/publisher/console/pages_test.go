package console_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/waiting"
)

// shop fills an environment with the flags of the example shop.
func (s *served) shop(environment string) {
	s.t.Helper()
	text, err := os.ReadFile("../../../examples/flags.json")
	if err != nil {
		s.t.Fatal(err)
	}
	var all struct {
		Evaluators map[string]jsontext.Value `json:"$evaluators"`
		Flags      map[string]jsontext.Value `json:"flags"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		s.t.Fatal(err)
	}
	var changes []api.CommandChange
	for _, key := range slices.Sorted(maps.Keys(all.Evaluators)) {
		changes = append(changes, api.CommandChange{Kind: string(document.KindSegment), Key: key, Document: []byte(all.Evaluators[key])})
	}
	for _, key := range slices.Sorted(maps.Keys(all.Flags)) {
		changes = append(changes, api.CommandChange{Key: key, Document: []byte(all.Flags[key])})
	}
	s.write(environment, changes)
}

// write writes documents that do not exist, with the approvals that this needs.
func (s *served) write(environment string, changes []api.CommandChange) {
	s.t.Helper()
	r, err := s.as("editor").OpenRequest(s.t.Context(), environment, api.NewRequest{
		Reason: "The shop opens.", Command: api.Command{Type: "documents", Changes: changes},
	}, api.ChangeHeaders{})
	if err == nil {
		_, err = s.as("approver").ApproveRequest(s.t.Context(), environment, r.ID, r.Hash, api.ChangeHeaders{})
	}
	if err == nil {
		_, err = s.as("editor").ApplyRequest(s.t.Context(), environment, r.ID, api.ChangeHeaders{})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// propose opens a change request as an editor.
func (s *served) propose(environment, key string, on bool, reason string) api.ChangeRequest {
	s.t.Helper()
	_, seen, err := s.client.Document(s.t.Context(), environment, document.ID{Kind: document.KindFlag, Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.as("editor").OpenRequest(s.t.Context(), environment, api.NewRequest{
		Reason: reason, Command: api.Command{Type: "toggle", Key: key, On: on, IfMatch: seen.Revision()},
	}, api.ChangeHeaders{})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// toggle turns a flag on or off.
func (s *served) toggle(environment, key string, on bool) {
	s.t.Helper()
	_, seen, err := s.client.Document(s.t.Context(), environment, document.ID{Kind: document.KindFlag, Key: key})
	if err == nil {
		_, err = s.client.Toggle(s.t.Context(), environment, key, on, seen, api.ChangeHeaders{})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// toggling is the address of the change that turns a flag on or off.
func (s *served) toggling(environment, key string, on bool) string {
	s.t.Helper()
	_, seen, err := s.client.Document(s.t.Context(), environment, document.ID{Kind: document.KindFlag, Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	command := `{"type":"toggle","key":` + strconv.Quote(key) + `,"on":` + strconv.FormatBool(on) + `,"ifMatch":"` + seen.Revision() + `"}`
	return "/console/" + environment + "/change?do=" + url.QueryEscape(command)
}

// looks are how pages are looked at. Checks of two of them see both widths and both colour schemes.
var looks = []struct {
	scheme      string
	width       int64
	pictureOnly bool
}{{"light", 1280, false}, {"dark", 390, false}, {"light", 390, true}, {"dark", 1280, true}}

// Every page can be used with a screen reader as far as axe-core can tell, keeps the policy, and leaves nothing in the browser's log.
func TestPages(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	s.create("staging", false)
	s.shop("prod")
	s.shop("staging")
	s.toggle("staging", "payment-provider", false)
	request := s.propose("prod", "new-checkout", false, "Conversion fell after the last step.")
	told := telling(t)
	check := axe(t)
	pictures := os.Getenv("FLAGSIDE_PICTURES")
	type page struct{ name, role, address, shows string }
	visit := func(s *served, p page) {
		t.Run(p.name, func(t *testing.T) {
			tab := s.open(browser, t, p.role)
			for _, look := range looks {
				if look.pictureOnly && pictures == "" {
					continue
				}
				tab.size(look.width, 900, look.scheme)
				tab.visit(p.address)
				tab.shows(p.shows)
				tab.await("the page to be complete", `!document.querySelector(".loading")`)
				if wide := evaluate[int64](tab, "document.documentElement.scrollWidth"); wide > look.width {
					t.Errorf("the page is %d wide in a window of %d", wide, look.width)
				}
				if p.role == "" {
					tab.forget() // 401 is how the page learns that it is to show this
				}
				if pictures != "" {
					tab.picture(filepath.Join(pictures, fmt.Sprintf("console-%s-%s-%d.png", p.name, look.scheme, look.width)))
				}
				if !look.pictureOnly {
					tab.accessible(check)
				}
			}
			tab.quiet()
		})
	}
	for _, p := range []page{
		{"sign-in", "", "/console/", "Sign in with a token"},
		{"flags", "editor", "/console/prod/flags", "checkout-enabled"},
		{"flag", "editor", "/console/prod/flags/new-checkout", "Everyone else"},
		{"percentages", "editor", "/console/staging/flags/new-checkout?panel=shares", "Review the change"},
		{"edit", "editor", "/console/staging/flags/new-checkout/edit", "The publisher would take it."},
		{"edit-segment", "editor", "/console/staging/segments/european-union/edit", "The publisher would take it."},
		{"new-flag", "editor", "/console/staging/new-flag", "New flag"},
		{"new-segment", "editor", "/console/staging/new-segment", "New segment"},
		{"change", "editor", s.toggling("prod", "checkout-enabled", false), "must agree"},
		{"change-staging", "editor", s.toggling("staging", "checkout-enabled", false), "Apply to staging"},
		{"forbidden", "viewer", s.toggling("prod", "checkout-enabled", false), "Forbidden"},
		{"requests", "approver", "/console/prod/requests", "new-checkout"},
		{"request", "approver", "/console/prod/requests/" + request.ID, "Approve"},
		{"activity", "editor", "/console/prod/activity", "new-checkout"},
		{"segments", "editor", "/console/prod/segments", "european-union"},
		{"segment", "editor", "/console/prod/segments/european-union", "is one of"},
		{"fleet", "editor", "/console/prod/fleet", "No sidecar"},
		{"lifecycle", "editor", "/console/prod/lifecycle", "Lifecycle"},
		{"compare", "editor", "/console/prod/compare?with=staging", "payment-provider"},
		{"playground", "viewer", "/console/staging/playground?q=checkout&flag=new-checkout", "Step by step"},
		{"try", "editor", "/console/staging/flags/new-checkout?panel=try", "Step by step"},
		{"audit", "viewer", "/console/prod/audit", "new-checkout"},
		{"settings", "admin", "/console/prod/settings", "with 1 approval"},
		{"settings-viewer", "viewer", "/console/prod/settings", "Forbidden."},
		{"access", "admin", "/console/prod/access", "API tokens"},
		{"webhooks", "admin", "/console/prod/webhooks", "no webhooks"},
		{"sources", "viewer", "/console/prod/sources", "No file"},
		{"not-found", "editor", "/console/nowhere/flags", "Not found"},
	} {
		visit(s, p)
	}
	for _, p := range []page{
		{"webhooks-told", "admin", "/console/shop/webhooks", "failed since"},
		{"sources-followed", "viewer", "/console/shop/sources", "broken"},
	} {
		visit(told, p)
	}
}

// telling is a publisher with two webhooks, of which one is not taken, and an environment that follows a file, and another one that is broken.
func telling(t *testing.T) *served {
	t.Helper()
	takes := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(takes.Close)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(refuses.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"webhooks.json": fmt.Sprintf(`{"webhooks":[{"name":"audit","url":"%s/hook","secretFiles":["secret"],"allowPrivate":true},
			{"name":"chat","url":"%s/hook","secretFiles":["secret"],"allowPrivate":true}]}`, takes.URL, refuses.URL),
		"flags.json":  `{"flags":{"banner":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}}}`,
		"broken.json": `{"flags":{"banner":`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, func(o *publisher.Options) {
		o.Webhooks = filepath.Join(dir, "webhooks.json")
		o.Sources = []following.Spec{{Environment: "shop", Path: filepath.Join(dir, "flags.json")}, {Environment: "shop", Path: filepath.Join(dir, "broken.json")}}
	})
	s.create("shop", false)
	waiting.Until(t, "the file to be applied and the other one to be broken", func() bool {
		found, err := s.client.Sources(t.Context(), "shop")
		return err == nil && slices.ContainsFunc(found.Items, func(f api.Source) bool { return f.State == "applied" }) &&
			slices.ContainsFunc(found.Items, func(f api.Source) bool { return f.State == "broken" })
	}, s.log)
	waiting.Until(t, "one webhook to be taken and the other one to fail", func() bool {
		found, err := s.client.Webhooks(t.Context())
		if err != nil || len(found.Items) != 2 {
			return false
		}
		state := func(w api.Webhook) string {
			for _, d := range w.Environments {
				if d.Environment == "shop" {
					return d.State
				}
			}
			return ""
		}
		return state(found.Items[0]) == "ok" && state(found.Items[1]) == "failing"
	}, s.log)
	return s
}

// The palette finds flags, pages and environments by a few letters.
func TestPalette(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	s.create("staging", false)
	s.shop("staging")
	tab := s.open(browser, t, "viewer")
	tab.visit("/console/staging/flags")
	tab.shows("checkout-enabled")
	for _, p := range []struct{ typed, at string }{
		{"biom log", "/console/staging/flags/biometric-login"},
		{"europ", "/console/staging/segments/european-union"},
		{"activ", "/console/staging/activity"},
		{"prod", "/console/prod/flags"},
	} {
		tab.withControl("k")
		tab.await("the palette", `document.activeElement?.getAttribute("role") === "combobox"`)
		tab.keys(p.typed)
		tab.accessible(axe(t))
		tab.keys(kb.Enter)
		tab.await("the page of "+p.typed, "location.pathname === "+strconv.Quote(p.at))
		if p.typed == "prod" {
			break
		}
		tab.visit("/console/staging/flags")
		tab.shows("checkout-enabled")
	}
	if strings.Contains(tab.String(), "checkout-enabled") {
		t.Error("prod shows the flags of staging")
	}
	tab.quiet()
}

// In every list, j and k go from row to row, and Enter opens the one that has the focus.
func TestRowsByKeys(t *testing.T) {
	t.Parallel()
	_, tab := shopping(t, "viewer")
	tab.visit("/console/staging/playground?q=checkout")
	tab.shows("one-click-checkout")
	tab.keys("jjk")
	tab.await("the first row", `document.activeElement.innerText === "checkout-enabled"`)
	tab.keys("j" + kb.Enter)
	tab.await("the page of the second", `location.pathname === "/console/staging/flags/new-checkout"`)
	tab.quiet()
}
