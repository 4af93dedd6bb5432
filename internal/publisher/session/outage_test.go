package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/session"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/queue"
)

// While sessions cannot be read, one that is known counts for a minute. Nothing is decided about the others, and no one is signed in or out.
func TestOutage(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	known, unknown := newBrowser(t, r), newBrowser(t, r)
	known.signIn(r, adaToken)
	unknown.signIn(r, adaToken)
	known.who(r)
	link := r.URL + session.EnterPath + "?code=" + r.sessions.NewCode(boToken)
	r.store.down.Store(true)
	status := func(b *browser) int { return b.ask(http.MethodGet, r.URL+"/api/v1/whoami", "").status }
	r.clock.advance(50 * time.Second)
	if got := status(known); got != http.StatusOK {
		t.Errorf("a known one: %d", got)
	}
	if got := status(unknown); got != http.StatusServiceUnavailable {
		t.Errorf("an unknown one: %d", got)
	}
	r.clock.advance(10 * time.Second)
	for name, got := range map[string]int{
		"a known one after a minute": status(known),
		"who is signed in":           known.ask(http.MethodGet, r.URL+"/console/session", "").status,
		"sign-out":                   known.ask(http.MethodDelete, r.URL+"/console/session", "").status,
		"a token":                    newBrowser(t, r).signIn(r, boToken).status,
		"a link":                     newBrowser(t, r).ask(http.MethodGet, link, "").status,
	} {
		if got != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", name, got)
		}
	}
	r.store.down.Store(false)
	if known.who(r) != "ada" || unknown.who(r) != "ada" {
		t.Error("the outage ended sessions")
	}
	if got := newBrowser(t, r).ask(http.MethodGet, link, "").status; got != http.StatusSeeOther {
		t.Errorf("the link afterwards: %d", got)
	}
}

// When the stream is lost, sessions are. It is made again at once.
func TestLostStream(t *testing.T) {
	t.Parallel()
	nats := natstest.Start(t).URL()
	r := start(t, setup{nats: nats})
	b := newBrowser(t, r)
	b.signIn(r, adaToken)
	if _, existed, err := queue.Delete(t.Context(), connect(t, nats), flagsync.SessionsStream); err != nil || !existed {
		t.Fatal(existed, err)
	}
	r.clock.advance(session.Recheck)
	waiting.Until(t, "the session is known to be lost", func() bool {
		return b.ask(http.MethodGet, r.URL+"/console/session", "").status == http.StatusUnauthorized
	})
	if b.signIn(r, adaToken); b.who(r) != "ada" {
		t.Error("no one can sign in")
	}
}
