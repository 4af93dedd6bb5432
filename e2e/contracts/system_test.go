package contracts_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/waiting"
)

// environment is the one that there is.
const environment = "staging"

// binaries are the programs under test, which make build makes. They are copied, because keys and tokens are beside them.
var binaries process.Binaries

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flagside-contracts-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, program := range []string{"publisher", "sidecar", "flagside"} {
		if err := link(filepath.Join("..", "..", "bin", program), filepath.Join(dir, program)); err != nil {
			fmt.Fprintln(os.Stderr, "make build makes the programs:", err)
			return 1
		}
	}
	if binaries, err = process.Built(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func link(built, path string) error {
	built, err := filepath.Abs(built)
	if err != nil {
		return err
	}
	return os.Link(built, path)
}

// system is a publisher and a sidecar of it.
type system struct {
	publisher *process.Publisher
	admin     string // address of the publisher's API
	ofrep     string // address of the sidecar
	metrics   string // of the sidecar
}

// start runs a publisher and a sidecar with more options until the test ends.
func start(t *testing.T, publisherOptions, sidecarOptions []string) *system {
	t.Helper()
	free, err := process.FreeAddresses(4)
	if err != nil {
		t.Fatal(err)
	}
	admin, nats, ofrep, management := free[0], free[1], free[2], free[3]
	options := append([]string{"--data-dir", t.TempDir(), "--nats-addr", nats}, publisherOptions...)
	publisher, err := binaries.StartPublisherWith(t.Context(), admin, nats, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(publisher.Kill)
	if err := binaries.CreateEnvironment(t.Context(), admin, environment); err != nil {
		t.Fatal(err)
	}
	s := &system{publisher: publisher, admin: "http://" + admin, ofrep: "http://" + ofrep, metrics: "http://" + management + "/metrics"}
	s.put(t, "checkout", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`)
	s.put(t, "banner", `{"state":"ENABLED","variants":{"a":"A","b":"B"},"defaultVariant":null,"targeting":{"fractional":[["a",1],["b",1]]}}`)
	s.put(t, "retired", `{"state":"DISABLED","variants":{"one":1},"defaultVariant":"one"}`)
	s.put(t, "broken", `{"state":"ENABLED","variants":{"one":{"x":1}},"defaultVariant":"one","targeting":{"if":[{">":[{"+":[{"var":"none"},1]},0]},"one"]}}`)
	sidecar, err := binaries.StartSidecar(environment, nats, t.TempDir(), ofrep, management, sidecarOptions...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sidecar.Kill)
	if err := sidecar.AwaitReady(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, sidecar.Output())
	}
	return s
}

func (s *system) put(t *testing.T, key, document string) {
	t.Helper()
	if _, err := s.publisher.PutFlag(t.Context(), environment, key, "", []byte(document)); err != nil {
		t.Fatal(err)
	}
}

// token returns the token of the administrator.
func (s *system) token(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.publisher.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// awaitWebhook waits until the only webhook gets what happens from now on.
func (s *system) awaitWebhook(t *testing.T) {
	t.Helper()
	client, err := s.publisher.API()
	if err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the webhook begins", func() bool {
		found, err := client.Webhooks(t.Context())
		return err == nil && len(found.Items) == 1 && len(found.Items[0].Environments) == 1 && found.Items[0].Environments[0].State == "ok"
	})
}

// needs skips the test if a program is not installed. With CI=true it fails then, because CI installs it.
func needs(t *testing.T, program, install string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not installed: %s", program, install)
	default:
		t.Skipf("%s is not installed, so its judgement is not asked: %s", program, install)
	}
	return ""
}

// write writes a file in a folder of the test, and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
