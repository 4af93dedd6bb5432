package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flagside/flagside/internal/process"
)

// hookKey is the key of the receiver, which exists for this walk alone.
var hookKey = []byte(strings.Repeat("a key for one walk", 2)) //nolint:gochecknoglobals // read only

// receiver takes events, when it is not down, and remembers those that are signed.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	down   bool
	events []event
}

// event is what a receiver reads of one.
type event struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Subject string `json:"subject"`
}

func newReceiver() *receiver {
	r := &receiver{down: true}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	switch {
	case r.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case err != nil || !signed(request.Header, body):
		w.WriteHeader(http.StatusUnauthorized)
	default:
		var e event
		if err := json.Unmarshal(body, &e); err == nil {
			r.events = append(r.events, e)
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// signed reports whether a body is what was signed with the key, as Standard Webhooks says.
func signed(h http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, hookKey)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(h.Get("Webhook-Signature")))
}

func (r *receiver) set(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// of returns the events of a type.
func (r *receiver) of(kind string) (all []event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == kind {
			all = append(all, e)
		}
	}
	return all
}

// configure writes the file of webhooks, and returns its name.
func (r *receiver) configure(dir string) (string, error) {
	secret := "whsec_" + base64.StdEncoding.EncodeToString(hookKey)
	if err := os.WriteFile(filepath.Join(dir, "hook-secret"), []byte(secret), 0o600); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "webhooks.yaml")
	return file, os.WriteFile(file, fmt.Appendf(nil, webhooks, r.URL), 0o600)
}

// webhooks is the file of webhooks, but for the address.
const webhooks = `webhooks:
  - name: audit
    url: %s
    secretFiles: [hook-secret]
    environments: [team]
    events: [change]
    allowPrivate: true # it is on this machine
`

// outage is a receiver that is down while flags change.
func (w *walker) outage(ctx context.Context) error {
	w.say("## A receiver that was down\n\nThe publisher tells a receiver what changes in `team`. It was started with `--webhooks webhooks.yaml`:")
	w.Add("```yaml\n%s```\n\n", fmt.Sprintf(webhooks, "http://127.0.0.1:9000/"))
	w.say("The receiver is down.")
	if err := w.all(ctx,
		step{who: "admin", line: "webhook test audit", code: 1, has: []string{"503"}},
		step{who: "editor", line: "flag rollout chat on=50 -e team", has: []string{"flag chat is rolled out"}},
		step{who: "editor", line: "flag toggle search off -e team", has: []string{"flag search is off"}},
	); err != nil {
		return err
	}
	if len(w.receiver.of(changed)) != 0 {
		return fmt.Errorf("a receiver that is down took %v", w.receiver.of(changed))
	}
	w.say("The changes are made all the same. Once the receiver is back it gets both, in order, each with a signature that it verifies.")
	w.receiver.set(false)
	within, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	var both []event
	err := process.Await(within, "the events", func() bool {
		all := distinct(w.receiver.of(changed)) // others may have waited before these
		both = all[max(0, len(all)-2):]
		return len(both) == 2 && both[0].Subject == "chat" && both[1].Subject == "search"
	})
	if err != nil {
		return fmt.Errorf("%w: %v", err, w.receiver.of(changed))
	}
	w.Add("```\n")
	for _, e := range both {
		w.Add("%s %s\n", e.Type, e.Subject)
	}
	w.Add("```\n\n")
	return w.all(ctx, step{who: "admin", line: "webhook test audit", has: []string{"audit"}})
}

// changed is the type of events about changes.
const changed = "dev.flagside.change"

// distinct returns events without those that came before: each comes at least once.
func distinct(events []event) (all []event) {
	seen := make(map[string]bool)
	for _, e := range events {
		if !seen[e.ID] {
			all = append(all, e)
		}
		seen[e.ID] = true
	}
	return all
}
