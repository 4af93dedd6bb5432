// Package e2e_test runs the programs as processes, as an operator would, and
// kills them.
package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/flagside/flagside/internal/dev" // what the programs are made of, so that a remembered result never outlives a change
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/waiting"
)

// binaries are the programs under test, built once for all tests.
var binaries process.Binaries

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flagside-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binaries, err = process.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	waiting.Beside(4)
	return m.Run()
}

// system is a publisher and the addresses that it keeps over restarts.
type system struct {
	t         *testing.T
	ctx       context.Context //nolint:containedctx // the deadline of the whole test
	dataDir   string
	admin     string
	nats      string
	publisher *process.Publisher
}

// newSystem reserves addresses and starts nothing.
func newSystem(t *testing.T) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return &system{
		t: t, ctx: ctx, dataDir: filepath.Join(t.TempDir(), "publisher"),
		admin: addresses(t, 1)[0], nats: addresses(t, 1)[0],
	}
}

// startPublisher starts the publisher, again after a kill.
func (s *system) startPublisher() {
	s.t.Helper()
	p, err := binaries.StartPublisher(s.ctx, s.dataDir, s.admin, s.nats)
	if err != nil {
		s.t.Fatal(err)
	}
	s.publisher = p
	s.t.Cleanup(p.Kill)
}

func (s *system) createEnvironment(name string) {
	s.t.Helper()
	if err := binaries.CreateEnvironment(s.ctx, s.admin, name); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) startSidecar(environment, dataDir string, more ...string) *process.Sidecar {
	s.t.Helper()
	a := addresses(s.t, 2)
	sidecar, err := binaries.StartSidecar(environment, s.nats, dataDir, a[0], a[1], more...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(sidecar.Kill)
	return sidecar
}

// put writes a flag whose only variant has the value and returns the entity tag.
func (s *system) put(environment, key, match, value string) string {
	s.t.Helper()
	document := fmt.Sprintf(`{"state":"ENABLED","variants":{"only":%s},"defaultVariant":"only"}`, value)
	etag, err := s.publisher.PutFlag(s.ctx, environment, key, match, []byte(document))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.publisher.Output())
	}
	return etag
}

// awaitValue waits until a sidecar gives the value.
func (s *system) awaitValue(sidecar *process.Sidecar, key, value string) {
	s.t.Helper()
	var last process.Answer
	err := process.Await(s.ctx, fmt.Sprintf("waiting for %s to be %s", key, value), func() bool {
		last, _ = sidecar.Evaluate(s.ctx, key, `{}`)
		return string(last.Value) == value
	})
	if err != nil {
		s.t.Fatalf("%v; last answer %+v\n%s", err, last, sidecar.Output())
	}
}

// wantAnswer asks once.
func (s *system) wantAnswer(sidecar *process.Sidecar, key string, status int, want string) {
	s.t.Helper()
	a, err := sidecar.Evaluate(s.ctx, key, `{}`)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, sidecar.Output())
	}
	if a.HTTPStatus != status || (string(a.Value) != want && a.ErrorCode != want) {
		s.t.Fatalf("flag %s: HTTP %d, value %s, error code %q; want HTTP %d and %s",
			key, a.HTTPStatus, a.Value, a.ErrorCode, status, want)
	}
}

func (s *system) awaitReady(sidecar *process.Sidecar) {
	s.t.Helper()
	if err := sidecar.AwaitReady(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

// awaitServing waits until /status says what the answers of the sidecar come from.
func (s *system) awaitServing(sidecar *process.Sidecar, want string) {
	s.t.Helper()
	var status map[string]any
	err := process.Await(s.ctx, "waiting for the serving state "+want, func() bool {
		status, _ = sidecar.Status(s.ctx)
		serving, _ := status["serving"].(map[string]any)
		return serving["state"] == want
	})
	if err != nil {
		s.t.Fatalf("%v; last status %v\n%s", err, status, sidecar.Output())
	}
}

func addresses(t *testing.T, n int) []string {
	t.Helper()
	a, err := process.FreeAddresses(n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// preconditionFailed reports whether a change was refused because the document had been changed meanwhile.
func preconditionFailed(err error) bool {
	refused, ok := errors.AsType[*client.Error](err)
	return ok && refused.Status == http.StatusPreconditionFailed
}
