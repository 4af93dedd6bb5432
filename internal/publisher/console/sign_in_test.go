package console_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/session/providertest"
)

// A person signs in at the identity provider by one link, and is where they wanted to go, as who they are there. After signing out nothing is shown.
func TestSignInAtAnIdentityProvider(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	provider, address := providertest.New(t), freeAddress(t)
	issuers, err := json.Marshal([]access.Issuer{provider.Issuer("http://" + address + "/console/callback")})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "issuers.json")
	if err := os.WriteFile(file, issuers, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(o *publisher.Options) { o.AdminAddr, o.Issuers = address, file })
	s.create("staging", false)
	s.shop("staging")
	tab := s.open(browser, t, "")
	tab.visit("/console/staging/flags/new-checkout?use=week")
	tab.shows("Sign in with corp")
	tab.forget() // 401 is how the page learns that it is to show this
	tab.accessible(axe(t))
	tab.pictures("sign-in-provider")
	tab.activate("Sign in with corp")
	tab.shows("Everyone else")
	tab.await("the page that was wanted", `location.pathname + location.search === "/console/staging/flags/new-checkout?use=week"`)
	tab.activate("Account of Ada")
	tab.shows(access.RoleEditor)
	if evaluate[string](tab, "document.cookie") != "" {
		t.Error("scripts can read the cookie")
	}
	if given := provider.Given(); given != 1 {
		t.Errorf("%d codes were exchanged", given)
	}
	tab.visit(s.toggling("staging", "checkout-enabled", false))
	tab.tabTo("Reason")
	tab.keys("As the one the provider named.")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if change := s.history("staging", "checkout-enabled")[0]; change.Names[change.Actor] != "Ada" {
		t.Errorf("it was changed by %q, %v", change.Actor, change.Names)
	}
	admin := s.open(browser, t, "admin")
	admin.visit("/console/staging/flags")
	admin.shows("checkout-enabled")
	admin.withControl("k")
	admin.await("the palette", `document.activeElement?.getAttribute("role") === "combobox"`)
	admin.keys("ada")
	admin.await("the person", `document.querySelector("#found [aria-selected=true]")?.innerText.startsWith("Ada")`)
	admin.keys(kb.Enter)
	admin.await("what she did", `location.pathname === "/console/staging/audit" && new URLSearchParams(location.search).get("actor") === `+strconv.Quote(s.history("staging", "checkout-enabled")[0].Actor))
	admin.shows("As the one the provider named.")
	admin.quiet()

	tab.activate("Account of Ada")
	tab.activate("Sign out")
	tab.shows("Sign in with corp")
	tab.forget()
	if sessions, err := s.client.Sessions(t.Context()); err != nil || len(sessions.Items) != 1 { // that of the administrator
		t.Errorf("after signing out there are %+v, %v", sessions.Items, err)
	}
}

// freeAddress returns an address on loopback that is free. The provider has to know it before the publisher has it.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
