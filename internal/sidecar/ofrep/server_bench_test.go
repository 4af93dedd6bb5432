package ofrep

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// newServing returns a server of a flag file, without a network, and its metrics. The resolver runs until the benchmark ends.
func newServing(b *testing.B, file []byte, o resolver.Options) (*Server, *prometheus.Registry) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "flags.json")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		b.Fatal(err)
	}
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	if err := store.LoadBootstrap(path); err != nil {
		b.Fatal(err)
	}
	o.Views, o.Metrics = store, prometheus.NewRegistry()
	r, err := resolver.New(o)
	if err != nil {
		b.Fatal(err)
	}
	run(b, r.Run)
	s, err := New(Options{Resolver: r, Metrics: o.Metrics, Logger: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	s.policy = origin.For(loopback, nil, nil)
	return s, o.Metrics.(*prometheus.Registry)
}
