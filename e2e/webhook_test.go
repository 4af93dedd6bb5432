package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/waiting"
)

// moody is a receiver of events that often fails, is slow, or loses its answer, and remembers the revisions of changes that it got.
type moody struct {
	mu        sync.Mutex
	revisions []string
	kind      bool // it takes everything from now on
	failed    int
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event struct {
		Type, ID string
	}
	if err != nil || json.Unmarshal(body, &event) != nil {
		return // the publisher was killed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mood := rand.N(8)
	if m.kind {
		mood = 7
	}
	if mood < 2 {
		m.failed++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if event.Type == "dev.flagside.change" {
		m.revisions = append(m.revisions, event.ID)
	}
	switch mood {
	case 2:
		m.failed++
		w.WriteHeader(http.StatusGatewayTimeout)
	case 3:
		time.Sleep(100 * time.Millisecond)
	}
}

// firsts returns the revisions in the order in which they came first.
func (m *moody) firsts() (firsts []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, revision := range m.revisions {
		if !slices.Contains(firsts, revision) {
			firsts = append(firsts, revision)
		}
	}
	return firsts
}

// A publisher is killed again and again, at any moment, while flags change and a receiver takes events as it likes: every change arrives, in order.
func TestWebhooksOfAPublisherThatIsKilled(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 40
	}
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	receiver := &moody{}
	address := httptest.NewServer(receiver)
	t.Cleanup(address.Close)
	file := filepath.Join(t.TempDir(), "webhooks.yaml")
	text := fmt.Sprintf("webhooks: [{name: audit, url: %q, secretFiles: [secret], allowPrivate: true}]", address.URL)
	for name, content := range map[string]string{file: text, filepath.Join(filepath.Dir(file), "secret"): "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() {
		p, err := binaries.StartPublisherWith(s.ctx, s.admin, s.nats, "--data-dir", s.dataDir, "--nats-addr", s.nats, "--webhooks", file)
		if err != nil {
			t.Fatal(err)
		}
		s.publisher = p
		t.Cleanup(p.Kill)
	}
	begin()
	s.createEnvironment("prod")
	s.awaitWebhook()
	var want []string
	for round := range rounds {
		for n := range 4 {
			revision, err := s.publisher.PutFlag(s.ctx, "prod", fmt.Sprintf("f-%d-%d", round, n), "", []byte(`{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}`))
			if err != nil {
				t.Fatalf("%v\n%s", err, s.publisher.Output())
			}
			want = append(want, strings.Trim(revision, `"`))
			time.Sleep(rand.N(150 * time.Millisecond))
		}
		time.Sleep(rand.N(1500 * time.Millisecond)) // events are copied and sent meanwhile, or not
		s.publisher.Kill()
		begin()
	}
	receiver.mu.Lock()
	receiver.kind = true
	receiver.mu.Unlock()
	waiting.Until(t, "all changes arrive", func() bool { return len(receiver.firsts()) >= len(want) })
	if got := receiver.firsts(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v\n%s", got, want, s.publisher.Output())
	}
	t.Logf("%d changes over %d kills; %d failures, %d repeated", len(want), rounds, receiver.failed, len(receiver.revisions)-len(want))
}

// awaitWebhook waits until a webhook gets what happens from now on.
func (s *system) awaitWebhook() {
	s.t.Helper()
	api, err := s.publisher.API()
	if err != nil {
		s.t.Fatal(err)
	}
	waiting.Until(s.t, "the webhook begins", func() bool {
		found, err := api.Webhooks(s.ctx)
		return err == nil && len(found.Items) == 1 && len(found.Items[0].Environments) == 1 && found.Items[0].Environments[0].State == "ok"
	})
}
