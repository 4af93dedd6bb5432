package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/cli"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// patience is how long a condition may take on a machine that is busy with other tests.
const patience = 30 * time.Second

// output is text that one goroutine writes and others read.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// command runs a command line to its end.
func runCommand(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs output
	code = run(ctx, args, terminal{stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t.Context(), args...)
		if code != wantCode || !strings.Contains(stdout+stderr, want) {
			t.Errorf("publisher %v: exit code %d, %s%s; want %d, %s", args, code, stdout, stderr, wantCode, want)
		}
		if (code == exitOK) != (stderr == "") {
			t.Errorf("publisher %v: exit code %d and on standard error: %q", args, code, stderr)
		}
	}
	f(exitConfiguration, "Usage: publisher COMMAND")
	f(exitOK, "Usage: publisher COMMAND", "--help")
	f(exitConfiguration, `no command "fly"`, "fly")
	f(exitConfiguration, `no command "fly"`, "fly", "--help")
	f(exitOK, "credentials add NAME", "credentials", "--help")
	f(exitConfiguration, "credentials add NAME", "credentials")
	f(exitConfiguration, `no command "environment"`, "environment")
	f(exitConfiguration, `no command "environment vanish x"`, "environment", "vanish", "x")
	f(exitConfiguration, "say where the streams are", "environment", "destroy", "x")
	for _, s := range subcommands() {
		f(exitOK, "Usage: publisher "+strings.Join(s.words, " "), append(s.words, "--help")...)
		if !strings.Contains(usage(subcommands()), "  "+strings.Join(s.words, " ")) {
			t.Errorf("the usage does not name %v", s.words)
		}
	}
	f(exitOK, "", "version")
	f(exitOK, "", "--version")
	f(exitConfiguration, "data directory", "serve")
	f(exitConfiguration, "publisher keys init DIR", "serve", "--nats", "nats://127.0.0.1:4222")
	f(exitConfiguration, "loopback", "serve", "--data-dir", "d", "--admin-addr", "0.0.0.0:8017")
	f(exitConfiguration, "replicas", "serve", "--data-dir", "d", "--replicas", "3")
	f(exitConfiguration, "leave it", "serve", "--data-dir", "d", "--nats", "nats://127.0.0.1:4222")
	f(exitConfiguration, "FILE is missing", "dev")
	f(exitConfiguration, "is a directory", "dev", t.TempDir())
	f(exitConfiguration, "loopback", "dev", "f", "--nats-addr", "0.0.0.0:4222")
	f(exitOK, `"environment": "dev"`, "dev", "f", "--print-config")
	f(exitConfiguration, "Prod!", "environment", "create", "Prod!")
	f(exitConfiguration, "Prod!", "environment", "recreate", "Prod!")
	f(exitConfiguration, "--environment", "restore", "f")
	f(exitFailure, "no such file", "restore", "f", "--environment", "prod")
	f(exitFailure, "is not a snapshot", "restore", "run_test.go", "--environment", "prod")
	f(8, "does not answer", "environment", "list", "--admin", "http://127.0.0.1:1")
	f(exitFailure, "is not the address", "environment", "list", "--admin", "here")
}

// The commands for environments work on a publisher that another command serves.
func TestServeAndEnvironments(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var log output
	served, dir, keys := make(chan int, 1), t.TempDir(), trusttest.Default().Directory(t)
	go func() {
		served <- run(ctx, []string{"serve", "--data-dir", dir, "--keys", keys, "--admin-addr", "127.0.0.1:0", "--nats-addr", "127.0.0.1:0"},
			terminal{stdout: &log, stderr: &log})
	}()
	address := "http://" + awaitMatch(t, &log, `"admin":"([^"]+)"`)
	awaitReady(t, address, &log)
	awaitMatch(t, &log, `there is no environment yet: create one with (\\"publisher environment create NAME\\")`)

	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t.Context(), append(args, "--admin", address, "--token-file", filepath.Join(dir, "admin-token"))...)
		if code != wantCode || !regexp.MustCompile(want).MatchString(stdout+stderr) {
			t.Errorf("publisher %v: exit code %d, %s%s; want %d, %s", args, code, stdout, stderr, wantCode, want)
		}
	}
	f(exitOK, `^NAME +STATE +FLAGS +REVISION +CREATED\n$`, "environment", "list")
	f(exitOK, `environment prod is created`, "environment", "create", "prod")
	f(exitOK, `environment shop is created`, "environment", "create", "shop", "--compatibility", "flagd")
	f(4, `exists`, "environment", "create", "prod")
	f(exitOK, `\nprod +in use +0 +[0-9a-f]{8}-2 +20.*\nshop +in use +0 +[0-9a-f]{8}-3 `, "environment", "list")
	f(exitOK, `environment prod has a new epoch with 0 flags at revision [0-9a-f]{8}-4`, "environment", "recreate", "prod")
	unknown := snapshotFile(t)
	f(exitOK, `(?s)"state": "ENABLED".*the log does not have the revision of the snapshot`, "restore", unknown, "--environment", "prod", "--dry-run")
	f(3, `The log does not have revision`, "restore", unknown, "--environment", "prod")
	f(exitConfiguration, `--reason`, "restore", unknown, "--environment", "prod", "--break-glass")
	f(exitOK, `(?s)environment prod is restored with 1 flags at revision [0-9a-f]{8}-5.*publisher request review`,
		"restore", unknown, "--environment", "prod", "--break-glass", "--reason", "the flags were lost")
	f(3, `not permitted to archive in environment prod`, "environment", "archive", "prod")
	f(exitOK, `environment shop is archived`, "environment", "archive", "shop")
	f(5, `unknown environment`, "environment", "archive", "none")
	f(exitOK, `\nshop +archived `, "environment", "list")

	cancel()
	if code := <-served; code != exitOK {
		t.Errorf("exit code %d\n%s", code, &log)
	}
}

// awaitMatch waits until the log matches, and returns the first group.
func awaitMatch(t *testing.T, log *output, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if match := expression.FindStringSubmatch(log.String()); match != nil {
			return match[1]
		}
	}
	t.Fatalf("%s was not logged:\n%s", pattern, log)
	return ""
}

func awaitReady(t *testing.T, address string, log *output) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("not ready:\n%s", log)
}

// snapshotFile writes a snapshot of the environment prod with one flag.
func snapshotFile(t *testing.T) string {
	t.Helper()
	flag := changelog.Document{
		Kind: changelog.KindFlag, Key: "f", Revision: 2,
		Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`),
	}
	path := filepath.Join(t.TempDir(), "prod.snapshot")
	if err := os.WriteFile(path, trusttest.Default().Snapshot(t, "prod", flag), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What bash completes is the next word of a command, or its options.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range cli.Shells() {
		if code, script, _ := runCommand(t.Context(), "completion", shell); code != exitOK || !strings.Contains(script, "idempotency-key") {
			t.Errorf("%s: exit code %d, %s", shell, code, script)
		}
	}
	if code, _, stderr := runCommand(t.Context(), "completion", "cmd"); code != exitConfiguration || !strings.Contains(stderr, "bash, zsh, fish") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to try the script in")
	}
	_, script, _ := runCommand(t.Context(), "completion", "bash")
	f := func(want string, words ...string) {
		t.Helper()
		line := script + "\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _publisher; echo \"${COMPREPLY[*]}\""
		out, err := exec.CommandContext(t.Context(), bash, append([]string{"-c", line, "bash"}, words...)...).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q, %v; want %q", words, got, err, want)
		}
	}
	f("serve segment settings", "publisher", "se")
	f("get", "publisher", "flag", "g")
	f("--output", "publisher", "flag", "get", "checkout", "--ou")
	f("--hash", "publisher", "request", "approve", "x", "--ha")
	f("--flagd-addr --flagd-sync-addr --flagd-auth-file", "publisher", "dev", "file", "--flagd")
	f("", "publisher", "flag", "get", "che")
	f("", "publisher", "nothing", "like", "this")
}
