package session_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/internal/publisher/session/providertest"
)

// callback is where the provider is to send browsers. A test takes them to the replica itself, whose port it does not know before.
const callback = "https://flags.example/console/callback"

// begin goes to the provider, and returns where that sends the browser, on the replica.
func (b *browser) begin(r *replica, to string) *url.URL {
	b.t.Helper()
	sent := b.ask(http.MethodGet, r.URL+"/console/sign-in?to="+url.QueryEscape(to), "")
	if sent.status != http.StatusSeeOther {
		b.t.Fatalf("%+v", sent)
	}
	back := b.ask(http.MethodGet, sent.header.Get("Location"), "")
	at, err := url.Parse(back.header.Get("Location"))
	if err != nil || !strings.HasPrefix(at.String(), callback) {
		b.t.Fatalf("%v, %+v", err, back)
	}
	here, err := url.Parse(r.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	at.Scheme, at.Host = here.Scheme, here.Host
	return at
}

func (b *browser) visit(at *url.URL) answer {
	b.t.Helper()
	return b.ask(http.MethodGet, at.String(), "")
}

// A person comes back from the provider and is signed in, where they wanted to go, on every replica; the provider's tokens are nowhere.
func TestSignInByIssuer(t *testing.T) {
	t.Parallel()
	p, nats := providertest.New(t), natstest.Start(t).URL()
	one, other := start(t, setup{nats: nats, issuers: []access.Issuer{p.Issuer(callback)}}), start(t, setup{nats: nats, issuers: []access.Issuer{p.Issuer(callback)}})
	b := newBrowser(t, one)
	if got := b.ask(http.MethodGet, one.URL+"/console/session", ""); !strings.Contains(got.body, `"oidc":"corp"`) {
		t.Errorf("%+v", got)
	}
	at := b.begin(one, "/console/flags/a?environment=prod")
	got := b.visit(at)
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/console/flags/a?environment=prod" {
		t.Fatalf("%+v", got)
	}
	for _, r := range []*replica{one, other} {
		if who := b.who(r); who != "corp:8f3a" {
			t.Errorf("%q asks", who)
		}
	}
	if got := b.ask(http.MethodGet, one.URL+"/console/session", ""); !strings.Contains(got.body, `"how":"oidc"`) || !strings.Contains(got.body, access.RoleEditor) || !strings.Contains(got.body, `"name":"Ada"`) {
		t.Errorf("%+v", got)
	}
	if text := one.log.String(); strings.Contains(text, "topsecret") || strings.Contains(text, "Ada") || strings.Contains(text, at.Query().Get("code")) || strings.Contains(text, "8f3a") {
		t.Errorf("the log tells too much:\n%s", text)
	}
	if again := b.visit(at); again.status != http.StatusUnauthorized {
		t.Errorf("the same code again: %+v", again)
	}
	if p.Given() != 1 {
		t.Errorf("%d codes were exchanged", p.Given())
	}
	if b.who(one) != "corp:8f3a" {
		t.Error("the attempt ended the session")
	}
	// With other rules for groups at the issuer a person has to come again.
	changed := p.Issuer(callback)
	changed.GroupsClaim = "roles"
	if who := b.who(start(t, setup{nats: nats, issuers: []access.Issuer{changed}})); who != "" {
		t.Errorf("%q asks where the issuer has other settings", who)
	}
}

// Whatever is wrong with an answer of the provider, or with who brings it, no one is signed in.
func TestIssuerAttacks(t *testing.T) {
	t.Parallel()
	p := providertest.New(t)
	r := start(t, setup{issuers: []access.Issuer{p.Issuer(callback)}})
	n := 0
	f := func(name string, spoil func(b *browser, at *url.URL) *url.URL) {
		t.Helper()
		n++
		b := newBrowser(t, r)
		b.client.Transport = marked{b.client.Transport, name}
		got := b.visit(spoil(b, b.begin(r, "/console/")))
		if got.status != http.StatusUnauthorized || b.cookie(r) != nil || b.who(r) != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	query := func(name, value string) func(*browser, *url.URL) *url.URL {
		return func(_ *browser, at *url.URL) *url.URL {
			q := at.Query()
			q.Set(name, value)
			at.RawQuery = q.Encode()
			return at
		}
	}
	same := func(_ *browser, at *url.URL) *url.URL { return at }
	f("another state", query("state", strings.Repeat("A", 43)))
	f("no state", query("state", ""))
	f("another code", query("code", "guess"))
	f("no code", query("code", ""))
	f("another issuer", query("iss", "https://evil.example"))
	f("an error", query("error", "access_denied"))
	f("another browser", func(_ *browser, _ *url.URL) *url.URL { return newBrowser(t, r).begin(r, "/console/") })
	f("begun again since", func(b *browser, at *url.URL) *url.URL { b.begin(r, "/console/"); return at })
	f("a code that was used", func(b *browser, at *url.URL) *url.URL {
		thief := newBrowser(t, r)
		own := thief.begin(r, "/console/")
		if got := thief.visit(own); got.status != http.StatusSeeOther {
			t.Fatalf("%+v", got)
		}
		return query("code", own.Query().Get("code"))(b, at)
	})
	f("a code that another browser asked for", func(b *browser, at *url.URL) *url.URL { // PKCE
		return query("code", newBrowser(t, r).begin(r, "/console/").Query().Get("code"))(b, at)
	})
	for name, claims := range map[string]map[string]any{
		"another nonce":    {"nonce": "other"},
		"no nonce":         {"nonce": nil},
		"another audience": {"aud": "api"},
		"several":          {"aud": []string{providertest.ClientID, "api"}},
		"expired":          {"exp": time.Now().Add(-time.Hour).Unix()},
		"no end":           {"exp": nil},
		"not yet":          {"nbf": time.Now().Add(time.Hour).Unix()},
		"no subject":       {"sub": nil},
		"a foreign issuer": {"iss": "https://evil.example"},
	} {
		p.Set(claims, nil)
		f(name, same)
	}
	for name, forge := range map[string]func(string) string{
		"unsigned": func(token string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(token, ".")[1] + "."
		},
		"a changed signature": func(token string) string { return token[:len(token)-8] + "AAAAAAAA" },
		"no token":            func(string) string { return "" },
		"another key": func(token string) string {
			return providertest.New(t).Sign(map[string]any{"iss": p.URL, "sub": "8f3a", "aud": providertest.ClientID, "exp": time.Now().Add(time.Hour).Unix(), "nonce": "x"})
		},
	} {
		p.Set(nil, forge)
		f(name, same)
	}
	p.Set(nil, nil)
	late := func(_ *browser, at *url.URL) *url.URL { r.clock.advance(10 * time.Minute); return at }
	f("too late", late)

	b := newBrowser(t, r)
	if got := b.visit(b.begin(r, "//evil.example/")); got.header.Get("Location") != session.Home || b.who(r) == "" {
		t.Errorf("the right way: %+v", got)
	}
}

// marked is a client of its own, for limits.
type marked struct {
	http.RoundTripper

	name string
}

func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Test-Client", m.name)
	return m.RoundTripper.RoundTrip(r)
}

// A provider that is away, or none, keeps no one from signing in with a token.
func TestIssuerIsAway(t *testing.T) {
	t.Parallel()
	p := providertest.New(t)
	r := start(t, setup{issuers: []access.Issuer{p.Issuer(callback)}})
	p.Close()
	b := newBrowser(t, r)
	if got := b.ask(http.MethodGet, r.URL+"/console/sign-in", ""); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "token") {
		t.Errorf("%+v", got)
	}
	if b.signIn(r, adaToken); b.who(r) != "ada" {
		t.Error("a token is not accepted")
	}
	none := start(t, setup{})
	if got := newBrowser(t, none).ask(http.MethodGet, none.URL+"/console/sign-in", ""); got.status != http.StatusNotFound {
		t.Errorf("%+v", got)
	}
}

// Settings by which people could be signed in wrongly are refused.
func TestSignInSettings(t *testing.T) {
	t.Parallel()
	good := access.Issuer{Name: "corp", URL: "https://issuer.example", Audiences: []string{"api"}, SignIn: &access.SignIn{ClientID: "c", RedirectURL: callback}}
	other := good
	other.Name, other.URL = "other", "https://other.example"
	f := func(all ...access.Issuer) error {
		_, err := access.NewAuthenticator(access.AuthenticatorOptions{Issuers: all})
		return err
	}
	if err := f(good); err != nil {
		t.Error(err)
	}
	if err := f(good, other); err == nil {
		t.Error("people could sign in by two issuers")
	}
	for _, redirect := range []string{"", "http://flags.example/console/callback", "https://flags.example/", "https://u@flags.example/console/callback", callback + "?x", callback + "#x", "/console/callback"} {
		bad := good
		bad.SignIn = &access.SignIn{ClientID: "c", RedirectURL: redirect}
		if err := f(bad); err == nil {
			t.Errorf("the redirect URL %q is taken", redirect)
		}
	}
	bad := good
	bad.SignIn = &access.SignIn{RedirectURL: callback}
	if err := f(bad); err == nil {
		t.Error("a client without an id is taken")
	}
}
