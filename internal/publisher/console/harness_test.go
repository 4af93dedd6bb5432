package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/console"
)

// secretOf is the token of a role.
func secretOf(role string) string { return "the-token-of-the-role-" + role + "-in-these-tests" }

// served is a publisher with the console before it.
type served struct {
	t      testing.TB
	url    string // of the console
	client *client.Client
	api    string
	log    *logtest.Log
}

// serve starts a publisher with the default policy and a token for each role, and the console in front of it.
func serve(t testing.TB) *served {
	t.Helper()
	s := &served{t: t, log: &logtest.Log{}}
	policy := filepath.Join(t.TempDir(), "default.cedar")
	if err := os.WriteFile(policy, access.DefaultPolicy(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := publisher.Options{
		DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Policy: policy, Logger: zerolog.New(s.log),
	}
	for role, group := range map[string]string{"viewer": access.RoleViewer, "editor": access.RoleEditor, "approver": access.RoleApprover, "admin": access.RoleAdmin} {
		o.FixedTokens = append(o.FixedTokens, access.FixedToken{Secret: secretOf(role), Principal: access.Principal{
			ID: role, Kind: access.KindToken, Groups: []string{group},
		}})
	}
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the publisher ended with %v\n%s", err, s.log)
		}
	})
	ready, cancelReady := context.WithTimeout(ctx, time.Minute)
	defer cancelReady()
	if err := p.Ready(ready); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	s.api = "http://" + p.AdminAddr().String()
	s.client = s.as("admin")
	front := httptest.NewServer(front(t, s.api))
	t.Cleanup(front.Close)
	t.Cleanup(front.CloseClientConnections) // before Close, which waits for streams of events
	s.url = front.URL
	return s
}

func (s *served) as(role string) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{Address: s.api, Token: secretOf(role)})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// create creates an environment.
func (s *served) create(name string, protected bool) {
	s.t.Helper()
	if _, err := s.client.CreateEnvironment(s.t.Context(), api.NewEnvironment{Name: name, Protected: &protected}, api.AdministrationHeaders{}); err != nil {
		s.t.Fatal(err)
	}
}

// flag returns the document of a flag.
func (s *served) flag(environment, key string) string {
	s.t.Helper()
	body, _, err := s.client.Document(s.t.Context(), environment, document.ID{Kind: document.KindFlag, Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// front stands for what gives browsers a session: it knows them by a cookie with a role, and adds the token of that to what they ask the API.
func front(t testing.TB, publisher string) http.Handler {
	t.Helper()
	target, err := url.Parse(publisher)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Origin")
		if role, err := r.In.Cookie("role"); err == nil {
			r.Out.Header.Set("Authorization", "Bearer "+secretOf(role.Value))
		}
	}}
	mux := http.NewServeMux()
	mux.Handle("/api/", proxy)
	mux.Handle("/console/", console.Handler())
	mux.HandleFunc("GET /console/session", func(w http.ResponseWriter, r *http.Request) {
		role, err := r.Cookie("role")
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"signIn":{"token":true,"oidc":""}}`)
			return
		}
		fmt.Fprintf(w, `{"principal":{"id":%q,"kind":"token","groups":["flagside:%s"]},"how":"token"}`, role.Value, role.Value)
	})
	mux.HandleFunc("POST /console/session", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Token string }
		if err := json.UnmarshalRead(r.Body, &in, json.MatchCaseInsensitiveNames(true)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, role := range []string{"viewer", "editor", "approver", "admin"} {
			if in.Token == secretOf(role) {
				http.SetCookie(w, &http.Cookie{Name: "role", Value: role, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"detail":"The token is unknown."}`)
	})
	mux.HandleFunc("DELETE /console/session", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "role", Path: "/", MaxAge: -1})
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /console/events", func(w http.ResponseWriter, r *http.Request) { events(t, publisher, w, r) })
	return mux
}

// events makes events of the console out of those of the activity.
func events(t testing.TB, publisher string, w http.ResponseWriter, r *http.Request) {
	environment := r.URL.Query().Get("environment")
	follow, err := client.New(client.Options{Address: publisher, Token: secretOf("admin")})
	if err != nil {
		t.Error(err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for e, err := range follow.FollowActivity(r.Context(), environment, "") {
		if err != nil {
			return
		}
		type moved struct {
			Environment string              `json:"environment"`
			Revision    string              `json:"revision"`
			Documents   []api.EventDocument `json:"documents"`
		}
		body, err := json.Marshal(moved{environment, e.Revision, e.Documents})
		if err != nil {
			t.Error(err)
			return
		}
		name := "request"
		if e.Type == "change" {
			name = "change"
		}
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, strings.ReplaceAll(string(body), "\n", ""))
		_ = http.NewResponseController(w).Flush()
	}
}
