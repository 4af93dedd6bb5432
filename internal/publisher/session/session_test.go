package session_test

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/sync/bucket"
)

// A token is exchanged for a cookie once. The cookie says who asks on every replica, and is what browsers protect best.
func TestSignIn(t *testing.T) {
	t.Parallel()
	nats := natstest.Start(t).URL()
	one, other := start(t, setup{nats: nats, tls: true}), start(t, setup{nats: nats, tls: true})
	b := newBrowser(t, one)
	type signedOut struct {
		SignIn struct {
			Token bool
			OIDC  string
		}
	}
	if got := b.ask(http.MethodGet, one.URL+"/console/session", ""); got.status != http.StatusUnauthorized || !decode[signedOut](t, got.body).SignIn.Token {
		t.Errorf("before: %+v", got)
	}
	if got := b.signIn(one, "flagside_forged"); got.status != http.StatusUnauthorized || b.cookie(one) != nil {
		t.Errorf("a forged token: %+v", got)
	}
	got := b.signIn(one, adaToken)
	type signedIn struct {
		Principal struct {
			ID, Kind string
			Groups   []string
		}
		How     string
		Expires time.Time
	}
	in := decode[signedIn](t, got.body)
	if got.status != http.StatusOK || in.Principal.ID != "ada" || in.How != "token" || in.Principal.Groups[0] != access.RoleEditor || time.Until(in.Expires) > session.Lifetime {
		t.Errorf("signed in: %+v", got)
	}
	set := got.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-flagside-session=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age=43200"} {
		if !strings.Contains(set, part) {
			t.Errorf("the cookie lacks %s: %s", part, set)
		}
	}
	if strings.Contains(set, "Domain") || strings.Contains(got.body, "topsecret") {
		t.Errorf("%s\n%s", set, got.body)
	}
	for _, r := range []*replica{one, other} { // a jar keeps cookies of a host whatever its port
		if who := b.who(r); who != "ada" {
			t.Errorf("%q asks", who)
		}
	}
	if got := b.ask(http.MethodGet, other.URL+"/console/session", ""); decode[signedIn](t, got.body).Principal.ID != "ada" {
		t.Errorf("elsewhere: %+v", got)
	}
	if got := b.ask(http.MethodGet, one.URL+"/api/v1/whoami", "", "Authorization", "Bearer "+boToken); got.body != "bo" {
		t.Errorf("the header comes first: %+v", got)
	}
	if got := b.ask(http.MethodDelete, one.URL+"/console/session", ""); got.status != http.StatusNoContent || b.cookie(one) != nil {
		t.Errorf("signed out: %+v", got)
	}
}

// A session that one replica ends counts on no other one for longer than Recheck, and its cookie is forgotten.
func TestEndedElsewhere(t *testing.T) {
	t.Parallel()
	nats := natstest.Start(t).URL()
	one, other := start(t, setup{nats: nats}), start(t, setup{nats: nats})
	b := newBrowser(t, one)
	b.signIn(one, adaToken)
	if b.who(other) != "ada" {
		t.Fatal("it does not count on the other replica")
	}
	all, err := one.sessions.List(t.Context(), "ada")
	if err != nil || len(all) != 1 || all[0].Agent == "" {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, owner := range []string{"bo", "eve"} {
		if _, err := one.sessions.End(t.Context(), all[0].ID, owner); err == nil {
			t.Errorf("%s ended it", owner)
		}
	}
	if _, err := one.sessions.End(t.Context(), all[0].ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if b.who(one) != "" {
		t.Error("it counts where it was ended")
	}
	other.clock.advance(session.Recheck)
	if b.who(other) != "" {
		t.Error("it counts on the other replica")
	}
	if got := b.ask(http.MethodGet, other.URL+"/console/session", ""); got.status != http.StatusUnauthorized || b.cookie(other) != nil {
		t.Errorf("%+v", got)
	}
}

// A session ends by itself, however often it is used, and all at once when its person is erased.
func TestLifetime(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	b, c := newBrowser(t, r), newBrowser(t, r)
	b.signIn(r, adaToken)
	for range 11 {
		r.clock.advance(time.Hour)
		if b.who(r) != "ada" {
			t.Fatal("it ended too early")
		}
	}
	c.signIn(r, adaToken)
	r.clock.advance(time.Hour)
	if b.who(r) != "" || c.who(r) != "ada" {
		t.Errorf("the old one: %q, the new one: %q", b.who(r), c.who(r))
	}
	if err := r.sessions.EndAll(t.Context(), "ada"); err != nil || c.who(r) != "" {
		t.Errorf("%q, %v", c.who(r), err)
	}
}

// The principal is looked at with each request: another token in the file, or other groups, end what was begun with the old ones, on disk too.
func TestPrincipalChanges(t *testing.T) {
	t.Parallel()
	for name, fixed := range map[string]access.FixedToken{
		"another secret": holder("ada", boToken, access.RoleEditor),
		"other groups":   holder("ada", adaToken, access.RoleEditor, access.RoleAdmin),
		"someone else":   holder("eve", adaToken, access.RoleEditor),
	} {
		nats := natstest.Start(t).URL()
		before, after := start(t, setup{nats: nats}), start(t, setup{nats: nats, fixed: []access.FixedToken{fixed}})
		same := start(t, setup{nats: nats})
		b := newBrowser(t, before)
		b.signIn(before, adaToken)
		if b.who(same) != "ada" {
			t.Fatalf("%s: a restart with the same token ended it", name)
		}
		if who := b.who(after); who != "" {
			t.Errorf("%s: %q asks", name, who)
		}
		if all, err := before.sessions.List(t.Context(), ""); err != nil || len(all) != 0 {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}

// What is made over HTTPS does not count over anything else, under whatever name its cookie is sent, and what was made without does not over HTTPS.
func TestStolenCookie(t *testing.T) {
	t.Parallel()
	nats := natstest.Start(t).URL()
	safe, plain := start(t, setup{nats: nats, tls: true}), start(t, setup{nats: nats})
	b, thief := newBrowser(t, safe), newBrowser(t, plain)
	b.signIn(safe, adaToken)
	stolen := b.cookie(safe).Value
	for _, name := range []string{"flagside-session", "__Host-flagside-session"} {
		if got := thief.ask(http.MethodGet, plain.URL+"/api/v1/whoami", "", "Cookie", name+"="+stolen); got.status != http.StatusUnauthorized {
			t.Errorf("%s over plain HTTP: %+v", name, got)
		}
	}
	thief.signIn(plain, boToken)
	weak := thief.cookie(plain).Value
	for _, name := range []string{"flagside-session", "__Host-flagside-session"} {
		if got := newBrowser(t, safe).ask(http.MethodGet, safe.URL+"/api/v1/whoami", "", "Cookie", name+"="+weak); got.status != http.StatusUnauthorized {
			t.Errorf("%s over HTTPS: %+v", name, got)
		}
	}
	if b.who(safe) != "ada" || thief.who(plain) != "bo" {
		t.Error("the attempts ended a session")
	}
	for _, damaged := range []string{stolen[:len(stolen)-1] + "!", stolen[:13] + "." + strings.Repeat("A", 43), "x", ".", strings.Repeat("a", 4000), "a.b.c"} {
		if got := newBrowser(t, safe).ask(http.MethodGet, safe.URL+"/api/v1/whoami", "", "Cookie", "__Host-flagside-session="+damaged); got.status != http.StatusUnauthorized {
			t.Errorf("%q: %+v", damaged, got)
		}
	}
	twice := "__Host-flagside-session=" + stolen + "; __Host-flagside-session=" + stolen
	if got := newBrowser(t, safe).ask(http.MethodGet, safe.URL+"/api/v1/whoami", "", "Cookie", twice); got.status != http.StatusUnauthorized {
		t.Errorf("two cookies: %+v", got)
	}
}

// Without TLS no one is signed in but from this machine by a loopback name, with nothing between.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	f := func(status int, headers ...string) {
		t.Helper()
		b := newBrowser(t, r)
		got := b.signIn(r, adaToken, headers...)
		if got.status != status || (got.header.Get("Set-Cookie") != "") != (status == http.StatusOK) {
			t.Errorf("%q: %+v", headers, got)
		}
		if status == http.StatusForbidden && !strings.Contains(got.body, "--admin-cert") {
			t.Errorf("%q: it does not say what to do: %s", headers, got.body)
		}
	}
	f(http.StatusOK)
	f(http.StatusOK, "Host", "localhost")
	f(http.StatusForbidden, "Host", "flags.example")
	f(http.StatusForbidden, "X-Forwarded-Proto", "https")
	f(http.StatusForbidden, "Forwarded", "proto=https")
	f(http.StatusForbidden, "Via", "1.1 proxy")
}

// The credential is a new one at each sign-in, whatever the browser sent, and the session that it had ends.
func TestFixation(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	attacker, victim := newBrowser(t, r), newBrowser(t, r)
	attacker.signIn(r, boToken)
	planted := attacker.cookie(r)
	victim.signIn(r, adaToken, "Cookie", planted.Name+"="+planted.Value)
	if c := victim.cookie(r); c == nil || c.Value == planted.Value || victim.who(r) != "ada" {
		t.Errorf("%+v", c)
	}
	if who := attacker.who(r); who != "" {
		t.Errorf("the planted session is %q", who)
	}
}

// A request with a cookie needs a type that no form has, and no other site may stand behind it. Without one it is another client's business.
func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	b := newBrowser(t, r)
	b.signIn(r, adaToken)
	f := func(method, body string, want int, headers ...string) {
		t.Helper()
		if got := b.ask(method, r.URL+"/api/v1/whoami", body, headers...); got.status != want {
			t.Errorf("%s %q with %q: %d, want %d: %s", method, body, headers, got.status, want, got.body)
		}
	}
	const ok, foreign, wrongType = http.StatusOK, http.StatusForbidden, http.StatusUnsupportedMediaType
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		f(method, "{}", ok, "Content-Type", jsonType) // neither Sec-Fetch-Site nor Origin
		f(method, "{}", ok, "Content-Type", "application/json; charset=utf-8", "Sec-Fetch-Site", "same-origin")
		f(method, "{}", ok, "Content-Type", "application/merge-patch+json", "Sec-Fetch-Site", "same-origin")
		f(method, "", ok, "Sec-Fetch-Site", "same-origin")
		f(method, "", ok)
		f(method, "{}", ok, "Content-Type", jsonType, "Origin", r.URL)
		f(method, "{}", foreign, "Content-Type", jsonType, "Origin", "https://evil.example")
		f(method, "{}", foreign, "Content-Type", jsonType, "Origin", "null")
		f(method, "{}", foreign, "Content-Type", jsonType, "Sec-Fetch-Site", "cross-site")
		f(method, "{}", foreign, "Content-Type", jsonType, "Sec-Fetch-Site", "same-site")
		for _, given := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "application/octet-stream", "json", ";"} {
			f(method, "{}", wrongType, "Content-Type", given)
		}
		f(method, "{}", wrongType)
		f(method, "", wrongType, "Content-Type", "text/plain")
		f(method, "{}", ok, "Content-Type", "text/plain", "Authorization", "Bearer "+adaToken)
	}
	f(http.MethodGet, "", ok)
	// Signing in and out are no different.
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		if got := b.ask(method, r.URL+"/console/session", `{"token":"`+boToken+`"}`, "Content-Type", jsonType, "Sec-Fetch-Site", "cross-site"); got.status != foreign {
			t.Errorf("%s: %+v", method, got)
		}
		if got := b.ask(method, r.URL+"/console/session", `{"token":"`+boToken+`"}`, "Content-Type", "text/plain"); got.status != wrongType {
			t.Errorf("%s: %+v", method, got)
		}
	}
	// What is visited changes nothing of a session.
	for _, path := range append(session.Paths(), "/api/v1/whoami") {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			b.ask(method, r.URL+path, "")
		}
	}
	if b.who(r) != "ada" {
		t.Error("one of the requests ended the session")
	}
}

// A one-time code counts once, also when two come with it at the same moment, and not for ever. What looks ahead does not use it up.
func TestOneTimeCode(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	b := newBrowser(t, r)
	link := r.URL + session.EnterPath + "?code=" + r.sessions.NewCode(adaToken)
	if got := b.ask(http.MethodHead, link, ""); got.status == http.StatusSeeOther {
		t.Errorf("HEAD: %+v", got)
	}
	if got := b.ask(http.MethodGet, link, "", "Sec-Purpose", "prefetch"); got.status == http.StatusSeeOther {
		t.Errorf("a look ahead: %+v", got)
	}
	got := b.ask(http.MethodGet, link, "")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/console/" || got.header.Get("Referrer-Policy") != "no-referrer" || b.who(r) != "ada" {
		t.Errorf("%+v", got)
	}
	if got := newBrowser(t, r).ask(http.MethodGet, link, ""); got.status != http.StatusUnauthorized || got.header.Get("Set-Cookie") != "" {
		t.Errorf("again: %+v", got)
	}

	var entered atomic.Int32
	var wg sync.WaitGroup
	link = r.URL + session.EnterPath + "?code=" + r.sessions.NewCode(adaToken)
	for range 2 {
		racer := newBrowser(t, r)
		wg.Go(func() {
			if racer.ask(http.MethodGet, link, "").status == http.StatusSeeOther {
				entered.Add(1)
			}
		})
	}
	wg.Wait()
	if n := entered.Load(); n != 1 {
		t.Errorf("%d of two entered", n)
	}

	late := r.URL + session.EnterPath + "?code=" + r.sessions.NewCode(adaToken)
	r.clock.advance(session.CodeTime)
	for _, address := range []string{late, r.URL + session.EnterPath, r.URL + session.EnterPath + "?code=guess"} {
		if got := newBrowser(t, r).ask(http.MethodGet, address, ""); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// A session that no publisher signed, or that stands elsewhere than where it was signed for, is none.
func TestForgedSessions(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	b := newBrowser(t, r)
	b.signIn(r, adaToken)
	stored, err := r.bucket.List(t.Context(), ">")
	if err != nil || len(stored) != 1 {
		t.Fatalf("%d, %v", len(stored), err)
	}
	if text := string(stored[0].Data) + stored[0].Key; strings.Contains(text, "topsecret") || strings.Contains(text, b.cookie(r).Value[14:]) {
		t.Fatal("the bucket has a secret")
	}
	id, secret, _ := strings.Cut(b.cookie(r).Value, ".")
	sum := sha256.Sum256([]byte(secret))
	if sum == [32]byte{} || !strings.HasPrefix(stored[0].Key, id+".") {
		t.Errorf("%s is stored as %s", id, stored[0].Key)
	}
	for name, forge := range map[string]func(other string) bucket.Value{
		"another principal": func(other string) bucket.Value {
			text := strings.ReplaceAll(string(stored[0].Data), id, other)
			return bucket.Value{Key: strings.Replace(stored[0].Key, id, other, 1), Data: []byte(strings.ReplaceAll(text, "editor", "admin_"))}
		},
		"another place": func(other string) bucket.Value {
			return bucket.Value{Key: strings.Replace(stored[0].Key, id, other, 1), Data: stored[0].Data}
		},
		"another form": func(other string) bucket.Value { return bucket.Value{Key: other + ".x", Data: []byte("{")} },
	} {
		other := strings.Repeat(name[len(name)-1:], 13)
		v := forge(other)
		if err := r.bucket.Create(t.Context(), v, time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := newBrowser(t, r).ask(http.MethodGet, r.URL+"/api/v1/whoami", "", "Cookie", "flagside-session="+other+"."+secret); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", name, got)
		}
		if all, err := r.sessions.List(t.Context(), ""); err != nil || len(all) != 1 {
			t.Errorf("%s: %d are listed, %v", name, len(all), err)
		}
		if err := r.bucket.Remove(t.Context(), v.Key); err != nil {
			t.Fatal(err)
		}
	}
	if b.who(r) != "ada" {
		t.Error("the true one ended")
	}
}

// A principal has so many sessions; a further one ends the oldest. Attempts of one client have a rate, and so do those of all.
func TestLimits(t *testing.T) {
	t.Parallel()
	const most = 32
	r := start(t, setup{})
	var all []*browser
	for i := range most + 1 {
		b := newBrowser(t, r)
		b.signIn(r, adaToken, "Test-Client", strconv.Itoa(i))
		all = append(all, b)
	}
	listed, err := r.sessions.List(t.Context(), "ada")
	if err != nil || len(listed) != most || all[0].who(r) != "" || all[1].who(r) != "ada" || all[most].who(r) != "ada" {
		t.Errorf("%d sessions, %v: %q, %q, %q", len(listed), err, all[0].who(r), all[1].who(r), all[most].who(r))
	}
	limited := func(client func(int) string, attempts int) (n int) {
		for i := range attempts {
			if newBrowser(t, r).signIn(r, "flagside_guess", "Test-Client", client(i)).status == http.StatusTooManyRequests {
				n++
			}
		}
		return n
	}
	if n := limited(func(int) string { return "one" }, 50); n == 0 {
		t.Error("50 attempts of one client are let in")
	}
	if n := limited(func(i int) string { return "client" + strconv.Itoa(i) }, 5); n != 0 {
		t.Errorf("%d attempts of others are refused", n)
	}
}

// Nothing secret is logged, whatever comes; that someone came is.
func TestLogsTellNothingSecret(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	b := newBrowser(t, r)
	b.signIn(r, adaToken)
	value := b.cookie(r).Value
	code := r.sessions.NewCode(boToken)
	newBrowser(t, r).ask(http.MethodGet, r.URL+session.EnterPath+"?code="+code, "")
	newBrowser(t, r).ask(http.MethodGet, r.URL+session.EnterPath+"?code="+code, "")
	newBrowser(t, r).signIn(r, "flagside_wrong-topsecret")
	b.ask(http.MethodDelete, r.URL+"/console/session", "")
	b.ask(http.MethodGet, r.URL+"/api/v1/whoami", "", "Cookie", "flagside-session="+value)
	text := r.log.String()
	for _, secret := range []string{"topsecret", value[14:], code} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in the log:\n%s", secret, text)
		}
	}
	for _, told := range []string{"signed in to the console", `"principal":"ada"`, `"how":"dev"`, "signed out", "refused"} {
		if !strings.Contains(text, told) {
			t.Errorf("%s is not in the log:\n%s", told, text)
		}
	}
}
