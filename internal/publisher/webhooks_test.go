package publisher_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// hooks is a receiver of CloudEvents that remembers them in the order in which they came.
type hooks struct {
	address string

	mu     sync.Mutex
	events []hook
	down   bool
}

// hook is as much of a CloudEvent as is looked at.
type hook struct {
	ID, Type, Source, Subject string
	Data                      api.Event
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var e hook
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil || h.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.events = append(h.events, e)
	}))
	t.Cleanup(s.Close)
	h.address = s.URL
	return h
}

// is has the receiver be down or not.
func (h *hooks) is(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

// got returns the ids and types that have come, each once.
func (h *hooks) got() (ids, types []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if !slices.Contains(ids, e.ID) {
			ids, types = append(ids, e.ID), append(types, e.Type)
		}
	}
	return ids, types
}

func (h *hooks) find(kind string) (found hook, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.events, func(e hook) bool { return e.Type == kind })
	if i < 0 {
		return hook{}, false
	}
	return h.events[i], true
}

// webhooks writes a file with one webhook.
func webhooks(t *testing.T, address string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret":        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"webhooks.json": fmt.Sprintf(`{"webhooks":[{"name":"audit","url":"%s/topsecret","secretFiles":["secret"],"allowPrivate":true}]}`, address),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "webhooks.json")
}

// begun waits until a webhook gets what happens in an environment from now on.
func (r *running) begun(environment string) {
	r.t.Helper()
	begun := func(d api.WebhookDelivery) bool { return d.Environment == environment && d.State == "ok" }
	r.await("the webhook begins", func() bool {
		found, err := r.client.Webhooks(r.t.Context())
		return err == nil && len(found.Items) == 1 && slices.ContainsFunc(found.Items[0].Environments, begun)
	})
}

// Changes, steps of change requests, refusals and what broke the glass reach a webhook with names, and so does a test. None of it shows its address.
func TestWebhooksHearOfEverything(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	r := governed(t, publisher.Options{Webhooks: webhooks(t, h.address)})
	r.create("prod")
	r.begun("prod")
	r.breakGlass("prod", "f")
	r.ask(http.MethodPut, "/api/v1/environments/prod/flags/no", offDocument, "If-None-Match", "*", "Authorization", "Bearer "+secretOf("viewer"))
	for _, kind := range []string{"change", "request.opened", "request.claimed", "request.applied", "refused"} {
		r.await(kind+" arrives", func() bool { _, ok := h.find("dev.flagside." + kind); return ok })
	}
	change, _ := h.find("dev.flagside.change")
	if change.Subject != "burning-f" || !change.Data.Breaks || change.Data.Revision != change.ID || change.Data.Actor == "" {
		t.Errorf("the change: %+v", change)
	}
	opened, _ := h.find("dev.flagside.request.opened")
	if !strings.HasPrefix(opened.ID, "LEDGER_prod-") || !opened.Data.Breaks || !strings.HasSuffix(opened.Source, ":prod") {
		t.Errorf("the request: %+v", opened)
	}
	_, types := h.got()
	at := func(kind string) int { return slices.Index(types, "dev.flagside."+kind) }
	if at("request.opened") > at("change") || at("change") > at("request.applied") {
		t.Errorf("the order: %v", types)
	}

	done, err := r.client.TestWebhook(t.Context(), "audit")
	if _, arrived := h.find("dev.flagside.test"); err != nil || !done.Delivered || !arrived {
		t.Errorf("the test: %+v, %v", done, err)
	}
	h.is(true)
	if done, err = r.client.TestWebhook(t.Context(), "audit"); err != nil || done.Delivered || !strings.Contains(done.Error, "503") {
		t.Errorf("the test of one that is down: %+v, %v", done, err)
	}
	if _, err := r.client.TestWebhook(t.Context(), "none"); !isProblem(err, http.StatusNotFound, "not-found") {
		t.Errorf("the test of none: %v", err)
	}
	shown := r.log.String()
	for _, path := range []string{"/api/v1/webhooks", "/metrics", "/status"} {
		shown += r.ask(http.MethodGet, path, "").body
	}
	if strings.Contains(shown, "topsecret") || strings.Contains(shown, "MfKQ9r8") || !strings.Contains(shown, h.address) {
		t.Errorf("the address or a secret is shown, or the host is not:\n%s", shown)
	}
}

// The first change of an environment is told, though it comes at once, and so is that the environment was archived and revived.
func TestWebhooksHearOfTheBeginningAndTheEnd(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	r := start(t, publisher.Options{DataDir: t.TempDir(), Webhooks: webhooks(t, h.address)})
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), client.Precondition{Absent: true})
	r.await("the change is told", func() bool { _, ok := h.find("dev.flagside.change"); return ok })
	for _, do := range []func(context.Context, string, api.AdministrationHeaders) (api.Environment, error){r.client.ArchiveEnvironment, r.client.ReviveEnvironment} {
		_, types := h.got()
		if _, err := do(t.Context(), "prod", api.AdministrationHeaders{Reason: "to see"}); err != nil {
			t.Fatal(err)
		}
		r.await("that is told", func() bool {
			_, now := h.got()
			return len(now) > len(types) && strings.HasPrefix(now[len(now)-1], "dev.flagside.environment.")
		})
	}
	want := []string{"dev.flagside.change", "dev.flagside.environment.archived", "dev.flagside.environment.revived"}
	if _, types := h.got(); !slices.Equal(types, want) {
		t.Errorf("got  %v\nwant %v", types, want)
	}
}

// Two publishers over one server of an operator, of which one ends while the receiver is down: each event is delivered, once each and in order. So it goes
// on over a new epoch.
func TestWebhooksOfTwoPublishers(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	server, file := natstest.Start(t), webhooks(t, h.address)
	first := start(t, publisher.Options{NATS: server.URL(), Webhooks: file})
	first.create("prod")
	first.begun("prod")
	second := start(t, publisher.Options{NATS: server.URL(), Webhooks: file})
	second.begun("prod")
	var want []string
	put := func(r *running, n int) {
		_, seen, err := r.client.Put(t.Context(), "prod", flagID(fmt.Sprint("f", n)), flagBody("on", ""), client.Precondition{Absent: true}, api.ChangeHeaders{})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, seen.Match.String())
	}
	for n := range 6 {
		put([]*running{first, second}[n%2], n)
	}
	h.is(true)
	put(first, 6)
	first.stop()
	put(second, 7)
	again := api.RestoreHeaders{}
	again.Reason, again.BreakGlass = "to see", true
	if _, err := second.client.RecreateEnvironment(context.WithoutCancel(t.Context()), "prod", api.RecreateQuery{}, again); err != nil {
		t.Fatal(err)
	}
	h.is(false)
	put(second, 8)
	changes := func() (changes []string) {
		ids, types := h.got()
		for i, id := range ids {
			if types[i] == "dev.flagside.change" {
				changes = append(changes, id)
			}
		}
		return changes
	}
	second.await("all changes arrive", func() bool { return len(changes()) >= len(want) })
	if got := changes(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A file with a mistake is refused at the start, with its place, and is a condition later.
func TestTheFileOfWebhooksIsChecked(t *testing.T) {
	t.Parallel()
	file := webhooks(t, "https://example.com")
	r := start(t, publisher.Options{DataDir: t.TempDir(), Webhooks: file})
	broken := []byte("{\"webhooks\":[\n{\"name\":\"audit\"}]}")
	if err := os.WriteFile(file, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	r.await("the mistake is a condition", func() bool {
		return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "webhooks-refused")
	})
	if found, err := r.client.Webhooks(t.Context()); err != nil || len(found.Items) != 1 {
		t.Errorf("the webhooks that stay: %+v, %v", found, err)
	}
	_, err := publisher.New(publisher.Options{DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Webhooks: file})
	if err == nil || !strings.Contains(err.Error(), "webhooks.json:2:1: webhook audit: give either url or urlFile") {
		t.Errorf("a start with it: %v", err)
	}
}
