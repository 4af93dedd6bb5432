package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/waiting"
)

// serveFollowing runs a publisher that follows a path for the environment prod, and returns its address and what ends it.
func serveFollowing(t *testing.T, dataDir string, specs ...following.Spec) (address string, stop func()) {
	t.Helper()
	o := publisher.Options{DataDir: dataDir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Logger: zerolog.Nop(), Sources: specs}
	for name, group := range people() {
		o.FixedTokens = append(o.FixedTokens, access.FixedToken{
			Secret: secretOf(name), Principal: access.Principal{ID: name, Name: name, Kind: access.KindToken, Groups: []string{group}},
		})
	}
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	ready, stopWaiting := context.WithTimeout(t.Context(), patience)
	defer stopWaiting()
	if err := p.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return "http://" + p.AdminAddr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A source is listed, its flags cannot be changed but in an emergency, are given back after it, and are released when it is not followed any more.
func TestSourceCommands(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "flags.json")
	text := []byte(`{"flags":{"checkout":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}}}`)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	address, stop := serveFollowing(t, data, following.Spec{Environment: "staging", Path: dir})
	ask := func(want int, who, line string) string {
		t.Helper()
		code, output := run(t.Context(), address, who, "", strings.Fields(line)...)
		if code != want {
			t.Fatalf("%s ends with %d, want %d:\n%s", line, code, want, output)
		}
		return output
	}
	await := func(text string) {
		t.Helper()
		waiting.Until(t, text, func() bool {
			time.Sleep(100 * time.Millisecond) // each look is a connection, and a publisher takes 256
			_, output := run(t.Context(), address, "viewer", "", "source", "list", "-e", "staging")
			return strings.Contains(output, text)
		})
	}
	ask(0, "admin", "environment create staging")
	await("applied")
	name := "publisher:" + dir
	if output := ask(4, "editor", "flag toggle checkout off -e staging"); !strings.Contains(output, dir) {
		t.Errorf("a person changes it: %s", output)
	}
	ask(4, "editor", "source give-back checkout -e staging")
	if output := ask(2, "editor", "apply -f "+file+" -e staging --source "+name); !strings.Contains(output, "publishers follow") {
		t.Errorf("apply takes the name: %s", output)
	}
	ask(0, "editor", "flag copy checkout newer-checkout -e staging")
	ask(0, "admin", "flag toggle checkout off -e staging --break-glass -m fire")
	await("conflict")
	if output := ask(0, "viewer", "source list -e staging"); !strings.Contains(output, "flagside source give-back checkout -e staging") {
		t.Errorf("what to do is not told: %s", output)
	}
	ask(0, "editor", "source give-back checkout -e staging")
	await("applied")
	stop()
	address, stop = serveFollowing(t, data)
	defer stop()
	await("not-followed")
	ask(4, "editor", "flag toggle checkout off -e staging")
	ask(3, "editor", "source release "+name+" -e staging")
	ask(0, "admin", "source release "+name+" -e staging")
	ask(5, "admin", "source release "+name+" -e staging")
	ask(0, "editor", "flag toggle checkout off -e staging")
	ask(0, "editor", "flag delete checkout -e staging")
	ask(0, "editor", "flag revive checkout -e staging")
}
