package publisher_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// A publisher that starts again over the same directory knows everything, and goes on.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, publisher.Options{DataDir: dir})
	r.create("prod")
	r.create("old")
	if _, err := r.client.ArchiveEnvironment(t.Context(), "old", api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	seen := r.put("prod", "f", flagBody("on", ""), absent())
	r.stop()

	r = start(t, publisher.Options{DataDir: dir})
	_, again, err := r.client.Document(t.Context(), "prod", flagID("f"))
	if err != nil || again != seen {
		t.Fatalf("the flag is at %v, %v; want %v", again, err, seen)
	}
	r.put("prod", "f", flagBody("off", ""), seen)
	all, err := r.client.Environments(t.Context())
	if err != nil || len(all.Items) != 2 || all.Items[0].Name != "old" || all.Items[0].Archived.IsZero() || all.Items[1].Flags != 1 {
		t.Errorf("environments are %+v, %v", all, err)
	}
}

// The stream of a known environment is gone: no one may take the environment for empty, and nothing is written until it is back.
func TestLostStream(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := start(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	seen := r.put("prod", "f", flagBody("on", ""), absent())
	deleteStream(t, server, "FLAGS_prod")

	refused := func(r *running) {
		t.Helper()
		r.await("the refusal of writes", func() bool {
			_, _, err := r.client.Put(t.Context(), "prod", flagID("f"), flagBody("off", ""), seen, api.ChangeHeaders{})
			problem, ok := errors.AsType[*client.Error](err)
			if !ok || problem.Status != http.StatusServiceUnavailable {
				t.Fatalf("a write to a lost stream: %v", err)
			}
			return problem.Type == "urn:flagside:problem:stream-lost" && strings.Contains(problem.Detail, "restore")
		})
		r.await("the condition", func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "stream-lost") })
	}
	refused(r)
	// Anyone who knows the environment still reads it.
	body, _, err := r.client.Document(t.Context(), "prod", flagID("f"))
	if err != nil || string(body) != string(flagBody("on", "")) {
		t.Errorf("read %s, %v", body, err)
	}
	// Anyone who starts now does not take it for empty.
	fresh := start(t, publisher.Options{NATS: server.URL()})
	refused(fresh)
	for _, path := range []string{flags, flags + "/f", flags + "/f/history"} {
		if a := fresh.ask(http.MethodGet, path, ""); a.status != http.StatusServiceUnavailable || !strings.HasSuffix(a.problem.Type, ":stream-lost") {
			t.Errorf("GET %s of a lost stream answers %d %s", path, a.status, a.body)
		}
	}
	if _, err := fresh.client.CreateEnvironment(t.Context(), api.NewEnvironment{Name: "other"}, api.AdministrationHeaders{}); err != nil {
		t.Errorf("another environment cannot be created beside: %v", err)
	}
}

// Another history has taken the place of the one that a publisher knows: it serves what it knows, says so, and does not write to the other.
// Once that history has something to say, it is followed.
func TestDifferentHistory(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := start(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	seen := r.put("prod", "f", flagBody("on", ""), absent())
	for _, stream := range []string{"FLAGS_prod", "LEDGER_prod", "CONTROL"} {
		deleteStream(t, server, stream)
	}
	other := start(t, publisher.Options{NATS: server.URL()})
	other.create("prod")

	r.await("the condition", func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "different-history") })
	_, _, err := r.client.Put(t.Context(), "prod", flagID("f"), flagBody("off", ""), seen, api.ChangeHeaders{})
	if problem, ok := errors.AsType[*client.Error](err); !ok || problem.Type != "urn:flagside:problem:unwritable" {
		t.Errorf("a write to another history: %v", err)
	}
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.status != http.StatusOK || a.body != string(flagBody("on", "")) {
		t.Errorf("what is known is read as %d %s", a.status, a.body)
	}
	if _, err := other.client.History(t.Context(), "prod", flagID("f"), api.HistoryQuery{}); err == nil {
		t.Error("the flag was written to the other history")
	}

	for _, key := range []string{"a", "b", "c"} {
		other.put("prod", key, flagBody("off", ""), absent())
	}
	// An environment that was created again renews nothing, so it never takes the place of what is known: a person decides.
	late := start(t, publisher.Options{NATS: server.URL()})
	late.await("the other history", func() bool { return late.ask(http.MethodGet, flags+"/c", "").status == http.StatusOK })
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.status != http.StatusOK {
		t.Errorf("what is known was replaced: %d %s", a.status, a.body)
	}
	late.put("prod", "d", flagBody("on", ""), absent())
}

func deleteStream(t *testing.T, server *natstest.Server, name string) {
	t.Helper()
	answer, err := server.Client(t).Request("$JS.API.STREAM.DELETE."+name, nil, patience)
	if err != nil || !strings.Contains(string(answer.Data), `"success":true`) {
		t.Fatalf("delete stream %s: %v", name, err)
	}
}

// While NATS is away, flags can be read with their age and writes are refused as not done; when it is back, all goes on by itself.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := start(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	seen := r.put("prod", "f", flagBody("on", ""), absent())
	server.Stop(t)

	r.await("a read from memory that says its age", func() bool {
		a := r.ask(http.MethodGet, flags+"/f", "")
		if a.status != http.StatusOK || a.body != string(flagBody("on", "")) || a.header.Get("Age") == "" {
			t.Fatalf("read %d %s with age %q", a.status, a.body, a.header.Get("Age"))
		}
		return a.header.Get("Age") != "0"
	})
	if a := r.ask(http.MethodGet, flags+"/none", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("that a flag does not exist is claimed without knowing: %d %s", a.status, a.body)
	}
	service, err := r.Control(t.Context(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := service.Current(within); err == nil {
		t.Error("what is known is taken for current without asking")
	}
	r.await("the condition", func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "log-unreachable") })

	server.Restart(t)
	r.await("a write that succeeds again", func() bool {
		_, _, err := r.client.Put(t.Context(), "prod", flagID("f"), flagBody("off", ""), seen, api.ChangeHeaders{})
		if problem, ok := errors.AsType[*client.Error](err); ok && problem.Status == http.StatusPreconditionFailed {
			t.Fatal("a write that was reported as not done was done")
		}
		return err == nil
	})
}

// A publisher may be started before NATS.
func TestStartsBeforeNATS(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	server.Stop(t)
	r := run(t, publisher.Options{NATS: server.URL()})
	r.await("an answer that says not ready", func() bool {
		return r.ask(http.MethodGet, "/readyz", "").status == http.StatusServiceUnavailable
	})
	if a := r.ask(http.MethodGet, "/api/v1/environments", ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("environments that are not known yet: %d %s", a.status, a.body)
	}
	if a := r.ask(http.MethodGet, "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("not alive: %d %s", a.status, a.body)
	}
	server.Restart(t)
	r.await("ready", func() bool { return r.ask(http.MethodGet, "/readyz", "").status == http.StatusOK })
	r.create("prod")
}
