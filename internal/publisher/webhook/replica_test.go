package webhook

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
)

// secretText is the secret of the webhooks of these tests.
const secretText = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// inbox is a receiver that verifies what it gets and remembers the ids.
type inbox struct {
	t       *testing.T
	address string

	mu     sync.Mutex
	ids    []string
	answer func(n int) int // status of the nth request; nil is always 204
	asked  int
}

// webhookFile writes a file with a webhook for each address, named a, b, and so on.
func webhookFile(t *testing.T, more string, addresses ...string) string {
	t.Helper()
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("webhooks:\n")
	for n, address := range addresses {
		fmt.Fprintf(&text, "- {name: %c, url: %q, secretFiles: [secret], allowPrivate: true%s}\n", 'a'+n, address+"/hook", more)
	}
	for name, content := range map[string]string{"secret": secretText, "webhooks.yaml": text.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "webhooks.yaml")
}

// replica is the part of a publisher that delivers.
type replica struct {
	*Service

	registry *prometheus.Registry

	stop func() // as a publisher does that ends
	kill func() // as one that is killed: nothing reaches NATS from then on
}

// quick is the timing of these tests.
func quick() timing {
	return timing{
		look: 20 * time.Millisecond, settle: 50 * time.Millisecond, keep: time.Hour, keepFor: time.Hour, ackWait: time.Second, reopen: 50 * time.Millisecond, finish: time.Minute, progress: 50 * time.Millisecond,
	}
}

func startReplica(t *testing.T, url string, p *past, file string, logs *logtest.Log, when timing) *replica {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Name: t.Name(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	logger := zerolog.New(logs)
	config, err := Open(file, logger)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	s, err := New(Options{
		File: config, Installation: "i", Replicas: 1, Environments: p.environments,
		NameOf:  func(id string) (string, bool) { return "Ada", id == "p1" },
		Metrics: registry, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.timing = when
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, conn) }()
	end := func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		conn.Close()
	}
	r := &replica{Service: s, registry: registry, stop: sync.OnceFunc(end)}
	r.kill = func() {
		conn.Close()
		r.stop()
	}
	t.Cleanup(r.stop)
	return r
}

// counted returns the webhooks of which something is counted.
func (r *replica) counted(t *testing.T) (names []string) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "webhook" {
					names = append(names, l.GetValue())
				}
			}
		}
	}
	return names
}

// ready waits until the webhook has its consumer: what happens from now on is for it.
func (r *replica) ready(t *testing.T, logs *logtest.Log) {
	t.Helper()
	waiting.Until(t, "the webhooks begin", func() bool {
		all := r.all()
		return len(all) > 0 && !slices.ContainsFunc(all, func(d *runningDelivery) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.consumer == nil
		})
	}, logs)
}
