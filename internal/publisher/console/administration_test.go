package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/flagside/flagside/internal/publisher/client"
)

// An administrator creates a token, whose secret is shown once and works, rotates it, and revokes the old one; all by keyboard.
func TestTokens(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("prod", true)
	tab := s.open(browser, t, "admin")
	tab.visit("/console/prod/access")
	tab.activate("New token…")
	tab.tabTo("What it is for\nIt stays in the records: name no person.")
	tab.keys(`build <img src=x onerror="window.hit=1">`)
	tab.activate("Review the token")
	tab.shows("Create a token")
	if s.tokens() != 0 {
		t.Fatal("a token was created before it was confirmed")
	}
	tab.activate("Create it for all environments")
	const secret = `(document.querySelector("[aria-label='Secret of the token']")?.innerText ?? "")`
	tab.await("the secret", secret+`.length > 20`)
	first := evaluate[string](tab, secret)
	if !s.counts(first) {
		t.Error("the secret does not count")
	}
	tab.accessible(axe(t))
	tab.activate("I have kept it")
	tab.await("the secret to be gone", secret+` === ""`)
	if strings.Contains(evaluate[string](tab, `document.documentElement.outerHTML + JSON.stringify({ ...localStorage, ...sessionStorage })`), first) {
		t.Error("the page keeps the secret")
	}

	tab.activate(evaluate[string](tab, `[...document.querySelectorAll("button")].find((b) => b.innerText.startsWith("Rotate")).innerText.trim()`))
	tab.activate(evaluate[string](tab, `document.querySelector("dialog button").innerText`))
	tab.await("the secret of the successor", secret+`.length > 20`)
	second := evaluate[string](tab, secret)
	if !s.counts(first) || !s.counts(second) || first == second {
		t.Error("after rotation not both count")
	}
	tab.activate("Revoke the old one…")
	tab.activate(evaluate[string](tab, `document.querySelector("dialog button").innerText`))
	tab.await("the secret to be gone with the old token", secret+` === ""`)
	if s.counts(first) || !s.counts(second) {
		t.Error("the wrong token was revoked")
	}
	if evaluate[bool](tab, `"hit" in window`) {
		t.Error("a name was executed")
	}
	tab.quiet()
}

// tokens returns how many tokens there are.
func (s *served) tokens() int {
	s.t.Helper()
	all, err := s.client.Tokens(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all.Items)
}

// counts reports whether a token is one.
func (s *served) counts(secret string) bool {
	s.t.Helper()
	c, err := client.New(client.Options{Address: s.url, Token: secret})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = c.WhoAmI(s.t.Context())
	return err == nil
}

// What makes a change risky is changed after it was shown, and only what was changed.
func TestProtectionIsConfirmed(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	tab := s.open(browser, t, "admin")
	tab.visit("/console/staging/settings")
	tab.shows("Break the glass")
	before, err := s.client.Risk(t.Context(), "staging")
	if err != nil {
		t.Fatal(err)
	}
	tab.tabTo("Every change is risky: the environment is protected")
	tab.keys(" ")
	tab.activate("Review the change")
	if now, err := s.client.Risk(t.Context(), "staging"); err != nil || now.Protected {
		t.Fatalf("it was changed before it was confirmed: %+v, %v", now, err)
	}
	tab.activate("Apply to staging")
	tab.await("the change", `!document.querySelector("dialog")`)
	now, err := s.client.Risk(t.Context(), "staging")
	if err != nil || !now.Protected || now.Share != before.Share || now.Dependants != before.Dependants {
		t.Errorf("it was %+v and is %+v, %v", before, now, err)
	}
	tab.quiet()
}

// A person without the right sees that it is forbidden, by which rule, and who could; and can end an own session, which signs out.
func TestForbiddenAdministration(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	tab := s.open(browser, t, "viewer")
	for _, page := range []string{"access", "webhooks", "settings"} {
		tab.visit("/console/staging/" + page)
		tab.shows("Forbidden.")
		tab.shows("You are in flagside:viewer")
		tab.shows("flagside:admin could")
	}
	if evaluate[bool](tab, `[...document.querySelectorAll("form input")].some((i) => !i.matches(":disabled"))`) {
		t.Error("what is forbidden can be edited")
	}
	tab.quiet()
	tab.visit("/console/staging/access")
	tab.await("the session", `[...document.querySelectorAll("button")].some((b) => b.innerText.startsWith("End\n"))`)
	tab.activate(evaluate[string](tab, `[...document.querySelectorAll("button")].find((b) => b.innerText.startsWith("End\n")).innerText.trim()`))
	tab.await("the question", `document.querySelector("dialog")`+` !== null`)
	tab.tabTo("End the session of viewer")
	tab.keys(kb.Enter)
	tab.shows("Sign in with a token")
	tab.forget() // 401 is how the page learns it
	if all, err := s.client.Sessions(t.Context()); err != nil || len(all.Items) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	delete(s.sessions, "viewer")
}
