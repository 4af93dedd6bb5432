package publisher_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// signIn exchanges a token for the cookie of a session.
func (r *running) signIn(token string) string {
	r.t.Helper()
	var got answer
	r.await("sessions can be made", func() bool {
		got = r.ask(http.MethodPost, "/console/session", `{"token":"`+token+`"}`, "Content-Type", "application/json", "Authorization", "")
		return got.status != http.StatusServiceUnavailable && got.status != http.StatusTooManyRequests
	})
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if got.status != http.StatusOK || !strings.HasPrefix(cookie, "flagside-session=") {
		r.t.Fatalf("%+v", got)
	}
	return cookie
}

// by sends a request with a cookie in place of a token.
func (r *running) by(cookie, method, path, body string, headers ...string) answer {
	r.t.Helper()
	return r.ask(method, path, body, append([]string{"Authorization", "", "Cookie", cookie}, headers...)...)
}

// knows reports whether a publisher takes a cookie.
func (r *running) knows(cookie string) bool {
	r.t.Helper()
	got := r.by(cookie, http.MethodGet, "/api/v1/whoami", "")
	if got.status == http.StatusUnauthorized && !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		r.t.Errorf("the browser keeps its cookie: %+v", got)
	}
	return got.status == http.StatusOK
}

// newToken makes an API token, and returns its id and secret.
func (r *running) newToken(group string) (id, secret string) {
	r.t.Helper()
	made, err := r.client.CreateToken(r.t.Context(), api.NewToken{Name: "console", Groups: []string{group}}, api.AdministrationHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.Token.ID, made.Secret
}

// sessionOf returns the only session whose principal has an id.
func (r *running) sessionOf(principal string) api.Session {
	r.t.Helper()
	all, err := r.client.Sessions(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var found []api.Session
	for _, one := range all.Items {
		if one.Principal == principal {
			found = append(found, one)
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("%d sessions of %s: %+v", len(found), principal, all.Items)
	}
	return found[0]
}

// A session survives a restart of the publisher, and lets its holder do over the whole API what the token lets.
func TestSessionsSurviveARestart(t *testing.T) {
	t.Parallel()
	o := publisher.Options{DataDir: t.TempDir()}
	r := governed(t, o)
	r.create("staging")
	id, secret := r.newToken(access.RoleEditor)
	cookie := r.signIn(secret)
	if got := r.by(cookie, http.MethodPut, "/api/v1/environments/staging/flags/f", offDocument, "If-None-Match", "*", "Content-Type", "application/json"); got.status != http.StatusCreated {
		t.Errorf("a change: %+v", got)
	}
	for _, given := range []string{"", "text/plain"} {
		if got := r.by(cookie, http.MethodPut, "/api/v1/environments/staging/flags/g", offDocument, "If-None-Match", "*", "Content-Type", given); got.status != http.StatusUnsupportedMediaType {
			t.Errorf("the type %q: %+v", given, got)
		}
	}
	if got := r.by(cookie, http.MethodGet, "/api/v1/tokens", ""); got.status != http.StatusForbidden {
		t.Errorf("what the token may not: %+v", got)
	}
	if one := r.sessionOf("token:" + id); one.How != "token" || one.Name != "token console" || one.Current {
		t.Errorf("%+v", one)
	}
	if got := r.by(cookie, http.MethodGet, "/api/v1/sessions", ""); !strings.Contains(got.body, `"current":true`) || strings.Count(got.body, `"id"`) != 1 {
		t.Errorf("the own ones: %+v", got)
	}
	metrics := r.ask(http.MethodGet, "/metrics", "").body
	if !strings.Contains(metrics, `flagside_console_sign_ins_total{how="token",outcome="ok"} 1`) || !strings.Contains(metrics, "flagside_console_sessions") {
		t.Error("sign-ins are not counted")
	}
	if text := r.log.String(); strings.Contains(text, secret) || strings.Contains(text, cookie[len(cookie)-20:]) || !strings.Contains(text, "signed in to the console") {
		t.Errorf("the log:\n%s", text)
	}
	r.stop()

	again := governed(t, o)
	again.await("the session counts again", func() bool { return again.knows(cookie) })
	if _, err := again.client.RevokeToken(t.Context(), id, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	if again.knows(cookie) {
		t.Error("it outlives its token")
	}
}

// Two publishers share sessions. What one ends, with the session or with its token, counts on the other no longer than a moment.
func TestSessionsAreShared(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	one, other := governed(t, publisher.Options{NATS: server.URL()}), governed(t, publisher.Options{NATS: server.URL()})
	cookie := one.signIn(secretOf("viewer"))
	other.await("the other knows it", func() bool { return other.knows(cookie) })
	id := one.sessionOf("viewer").ID
	if _, err := one.as(secretOf("editor")).RevokeSession(t.Context(), id); !isProblem(err, http.StatusNotFound, "not-found") {
		t.Errorf("someone else ends it: %v", err)
	}
	if _, err := one.client.RevokeSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if one.knows(cookie) {
		t.Error("it counts where it was ended")
	}
	other.await("the other knows that it ended", func() bool { return !other.knows(cookie) })

	token, secret := one.newToken(access.RoleViewer)
	other.await("the other knows the token", func() bool {
		return other.ask(http.MethodGet, "/api/v1/whoami", "", "Authorization", "Bearer "+secret).status == http.StatusOK
	})
	cookie = other.signIn(secret)
	if _, err := one.client.RevokeToken(t.Context(), token, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	other.await("the session ends with its token", func() bool { return !other.knows(cookie) })

	cookie = one.signIn(secretOf("viewer"))
	if _, err := one.client.ErasePerson(t.Context(), "viewer", api.AdministrationHeaders{}); !isProblem(err, http.StatusNotFound, "not-found") {
		t.Errorf("erase: %v", err)
	}
	if one.knows(cookie) {
		t.Error("a session outlives the erasure of its principal")
	}
}

// Without a console there is nothing at its place, and no cookie counts.
func TestConsoleOff(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	on, off := governed(t, publisher.Options{NATS: server.URL()}), governed(t, publisher.Options{NATS: server.URL(), ConsoleOff: true})
	cookie := on.signIn(secretOf("viewer"))
	for _, path := range []string{"/console/", "/console/session", "/console/sign-in", "/console/events?environment=prod", "/console/enter"} {
		if got := off.by(cookie, http.MethodGet, path, ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := off.by(cookie, http.MethodGet, "/api/v1/whoami", ""); got.status != http.StatusUnauthorized {
		t.Errorf("%+v", got)
	}
	if all, err := off.client.Sessions(t.Context()); err != nil || len(all.Items) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if off.ConsoleLink("x") != "" {
		t.Error("there is a link")
	}
}

// Pages are served below the console's path, under a policy that they make wider for themselves, and never in place of what signs in.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".html") {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
		}
		_, _ = io.WriteString(w, "page "+r.URL.Path)
	})
	r := governed(t, publisher.Options{ConsolePages: pages})
	if got := r.by("", http.MethodGet, "/console/a.html", ""); got.body != "page /console/a.html" || got.header.Get("Content-Security-Policy") != "default-src 'self'" {
		t.Errorf("%+v", got)
	}
	got := r.by("", http.MethodGet, "/console/a.js", "")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	if got := r.by("", http.MethodDelete, "/console/session", ""); got.status != http.StatusNoContent {
		t.Errorf("%+v", got)
	}
}
