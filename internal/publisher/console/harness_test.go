package console_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// served is a publisher with the console.
type served struct {
	t       testing.TB
	url     string
	natsURL string
	client  *client.Client
	log     *logtest.Log

	lock     sync.Mutex
	sessions map[string]*http.Cookie // by role
}

// serve starts a publisher with the default policy and a token for each role, and with other options where a test wants that.
func serve(t testing.TB, others ...func(*publisher.Options)) *served {
	t.Helper()
	s := &served{t: t, log: &logtest.Log{}, sessions: map[string]*http.Cookie{}}
	policy := filepath.Join(t.TempDir(), "default.cedar")
	if err := os.WriteFile(policy, access.DefaultPolicy(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := publisher.Options{
		ConsolePages: console.Handler(),
		DataDir:      t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Policy: policy, Logger: zerolog.New(s.log),
	}
	for role, group := range map[string]string{"viewer": access.RoleViewer, "editor": access.RoleEditor, "approver": access.RoleApprover, "admin": access.RoleAdmin} {
		o.FixedTokens = append(o.FixedTokens, access.FixedToken{Secret: secretOf(role), Principal: access.Principal{
			ID: role, Kind: access.KindToken, Groups: []string{group},
		}})
	}
	for _, change := range others {
		change(&o)
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
	s.url, s.natsURL = "http://"+p.AdminAddr().String(), p.NATSURL()
	s.client = s.as("admin")
	return s
}

func (s *served) as(role string) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{Address: s.url, Token: secretOf(role)})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// session returns the cookie of a session of a role.
func (s *served) session(role string) *http.Cookie {
	s.t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	if known, ok := s.sessions[role]; ok {
		return known
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/console/session", strings.NewReader(`{"token":"`+secretOf(role)+`"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK || len(answer.Cookies()) != 1 {
		s.t.Fatalf("signing in as %s: %d, %v", role, answer.StatusCode, err)
	}
	s.sessions[role] = answer.Cookies()[0]
	return s.sessions[role]
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

// history returns the changes of a flag, the newest first.
func (s *served) history(environment, key string) []api.DocumentChange {
	s.t.Helper()
	history, err := s.client.History(s.t.Context(), environment, document.ID{Kind: document.KindFlag, Key: key}, api.HistoryQuery{})
	if err != nil {
		s.t.Fatal(err)
	}
	return history.Items
}

// patch changes members of a flag, and returns the revision that it had.
func (s *served) patch(environment, key, patch string) string {
	s.t.Helper()
	id := document.ID{Kind: document.KindFlag, Key: key}
	_, seen, err := s.client.Document(s.t.Context(), environment, id)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.client.Patch(s.t.Context(), environment, id, []byte(patch), seen, api.ChangeHeaders{}); err != nil {
		s.t.Fatal(err)
	}
	return seen.Revision()
}
