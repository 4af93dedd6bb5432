package publisher_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
)

// updateStream changes settings of a stream, as only an operator can.
func updateStream(t *testing.T, server *natstest.Server, name string, settings map[string]any) {
	t.Helper()
	c := server.Client(t)
	found, err := c.Request("$JS.API.STREAM.INFO."+name, nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Config map[string]any `json:"config"`
	}
	if err := json.Unmarshal(found.Data, &info); err != nil {
		t.Fatal(err)
	}
	maps.Copy(info.Config, settings)
	body, err := json.Marshal(info.Config)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Request("$JS.API.STREAM.UPDATE."+name, body, patience)
	if err != nil || strings.Contains(string(answer.Data), `"error"`) {
		t.Fatalf("update of %s: %v %s", name, err, answer.Data)
	}
}

// A stream whose settings are changed under a publisher that runs, and one whose beginning is cut off, are conditions until they are mended.
func TestStreamsAreChecked(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"FLAGS_prod", "LEDGER_prod", "CONTROL"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			r := start(t, publisher.Options{NATS: server.URL()})
			r.create("prod")
			r.put("prod", "f", flagBody("on", ""), absent())
			c := server.Client(t)
			subject := map[string]string{"FLAGS_prod": "flags.prod.x", "LEDGER_prod": "ledger.prod.x", "CONTROL": "control.x"}[stream]
			for range 3 { // what is not signed, or not in its place
				if _, err := c.Request(subject, []byte("x"), patience); err != nil {
					t.Fatal(err)
				}
			}
			status := func() string {
				r.CheckStreams(t.Context())
				return r.ask(http.MethodGet, "/status", "").body
			}
			has := func(code string) func() bool { return func() bool { return strings.Contains(status(), code) } }
			for _, code := range []string{"stream-mismatch", "log-cut"} {
				if has(code)() {
					t.Fatalf("%s without a reason: %s", code, status())
				}
			}
			updateStream(t, server, stream, map[string]any{"max_msgs": 2})
			r.await("the changed setting", has(stream+": max_msgs is 2 and must be -1"))
			r.await("the cut beginning", has(stream+" begins at"))
			updateStream(t, server, stream, map[string]any{"max_msgs": -1})
			r.await("the setting to be back", func() bool { return !has("stream-mismatch")() })
			if !has("log-cut")() {
				t.Error("what is cut off is said to be back")
			}
		})
	}
}

// A NATS server that keeps all in one account works, and the publisher says what that means.
func TestWithoutAccountsIsACondition(t *testing.T) {
	t.Parallel()
	plain := natstest.StartWithoutAccounts(t)
	r := start(t, publisher.Options{NATS: plain.URL()})
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	r.await("the condition", func() bool {
		return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "nats-without-accounts")
	})

	guarded := start(t, publisher.Options{NATS: natstest.Start(t).URL()})
	embedded := start(t, publisher.Options{DataDir: t.TempDir()})
	for _, r := range []*running{guarded, embedded} {
		r.create("prod")
		if body := r.ask(http.MethodGet, "/status", "").body; strings.Contains(body, "nats-without-accounts") {
			t.Errorf("with accounts: %s", body)
		}
	}
}

// A file of users that is broken is a condition, and keeps neither the publisher nor its environments from working.
func TestBrokenUsersAreACondition(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	users := filepath.Join(dir, publisher.NATSUsersFile)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("nonsense")
	r := start(t, publisher.Options{DataDir: dir})
	r.create("prod")
	r.put("prod", "f", flagBody("on", ""), absent())
	refused := func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "nats-users-refused") }
	r.await("the condition", refused)
	write("[]")
	r.await("the end of the condition", func() bool { return !refused() })
}
