package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/trusttest"
)

// The exit codes, under the names of the tests.
const (
	exitOK            = commandline.ExitOK
	exitFailure       = commandline.ExitFailure
	exitConfiguration = commandline.ExitUsage
)

// patience is how long a condition may take on a machine that is busy with other tests.
const patience = 30 * time.Second

// command runs a command line to its end.
func runCommand(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs logtest.Log
	code = run(ctx, args, commandline.Terminal{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

// served returns the address of a publisher that runs for the test, and the file with the first token.
func served(t *testing.T) (address, token string) {
	t.Helper()
	dir := t.TempDir()
	p := startPublisher(t, publisher.Options{
		DataDir: dir, KeysDir: trusttest.Default().Directory(t), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0",
		AdminTokenFile: filepath.Join(dir, "admin-token"), Logger: zerolog.Nop(),
	})
	return "http://" + p.AdminAddr().String(), filepath.Join(dir, "admin-token")
}

// startPublisher runs a publisher until the test ends.
func startPublisher(t *testing.T, o publisher.Options) *publisher.Publisher {
	t.Helper()
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	within, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := p.Ready(within); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t.Context(), args...)
		if code != wantCode || !strings.Contains(stdout+stderr, want) {
			t.Errorf("flagside %v: exit code %d, %s%s; want %d, %s", args, code, stdout, stderr, wantCode, want)
		}
		if (code == exitOK) != (stderr == "") {
			t.Errorf("flagside %v: exit code %d and on standard error: %q", args, code, stderr)
		}
	}
	f(exitOK, "Usage: flagside COMMAND")
	f(exitOK, "Usage: flagside COMMAND", "--help")
	f(exitOK, "Usage: flagside COMMAND", "help")
	f(exitOK, "flag rollout KEY VARIANT=PERCENT...", "flag")
	f(exitOK, "flag rollout KEY VARIANT=PERCENT...", "flag", "--help")
	f(exitOK, "flagside flag put new-checkout -e prod", "help", "flag", "put")
	f(exitOK, "flagside flag put new-checkout -e prod", "flag", "put", "--help")
	f(exitOK, "credentials add NAME", "credentials", "--help")
	f(exitConfiguration, `no command "fly"`, "fly")
	f(exitConfiguration, "no command behind the options", "-e", "team")
	f(exitConfiguration, "no command behind the options", "--version", "-e", "x")
	f(exitOK, "Usage: flagside COMMAND", "-e", "team", "--help")
	f(exitConfiguration, `no command "fly"`, "fly", "--help")
	f(exitConfiguration, "did you mean flagside flag list?", "flga", "list")
	f(exitConfiguration, "did you mean flagside flag rollout?", "flag", "rolout", "f", "on=10")
	f(exitConfiguration, "did you mean --propose?", "flag", "put", "f", "--propse")
	f(exitConfiguration, "it is publisher serve", "serve")
	f(exitConfiguration, "it is publisher environment destroy x", "environment", "destroy", "x")
	f(exitOK, "", "version")
	f(exitOK, "", "--version")
	f(exitConfiguration, "FILE is missing", "dev")
	f(exitConfiguration, "loopback", "dev", "f", "--nats-addr", "0.0.0.0:4222")
	f(exitConfiguration, "port", "dev", "f", "--port-offset", "70000")
	f(exitOK, `"environment": "dev"`, "dev", "f", "--print-config")
	f(exitOK, `"environment": "dev"`, "dev", t.TempDir(), "--print-config")
	f(exitConfiguration, "Prod!", "environment", "create", "Prod!")
	f(exitConfiguration, "Prod!", "environment", "recreate", "Prod!")
	f(exitConfiguration, "FILE is missing", "environment", "restore", "f")
	f(exitFailure, "no such file", "environment", "restore", "prod", "f")
	f(exitFailure, "is not a snapshot", "environment", "restore", "prod", "run_test.go")
	f(8, "does not answer", "environment", "list", "--admin", "http://127.0.0.1:1")
	f(8, "does not answer", "--admin", "http://127.0.0.1:1", "environment", "list")
	f(8, "does not answer", "--admin=http://127.0.0.1:1", "-o", "json", "environment", "list")
	f(exitFailure, "is not the address", "environment", "list", "--admin", "here")
	for _, c := range program().Commands {
		f(exitOK, "Usage: flagside "+c.Name(), append(c.Words, "--help")...)
		f(exitOK, "Examples:\n  flagside "+c.Name(), append([]string{"help"}, c.Words...)...)
	}
}

// A dry run that is asked for by a variable is not ignored by what has none.
func TestDryRunOfWhatHasNone(t *testing.T) {
	t.Parallel()
	for value, code := range map[string]int{"true": exitConfiguration, "yes": exitConfiguration, "false": 8, "": 8} {
		var out bytes.Buffer
		environ := []string{"FLAGSIDE_DRY_RUN=" + value, "FLAGSIDE_ADMIN=http://127.0.0.1:1"}
		if got := run(t.Context(), []string{"environment", "archive", "trial"}, commandline.Terminal{Environ: environ, Stdout: &out, Stderr: &out}); got != code {
			t.Errorf("%q: exit code %d, %s; want %d", value, got, &out, code)
		}
		if got := run(t.Context(), []string{"environment", "list"}, commandline.Terminal{Environ: environ, Stdout: &out, Stderr: &out}); got != 8 {
			t.Errorf("%q, of what changes nothing: exit code %d, %s", value, got, &out)
		}
	}
}

// The overview names every command by its first word.
func TestOverviewIsComplete(t *testing.T) {
	t.Parallel()
	shown := make(map[string]bool)
	for _, topic := range topics() {
		for _, entry := range topic.Entries {
			word, _, _ := strings.Cut(entry.Word, " ")
			shown[word] = true
		}
	}
	for _, c := range program().Commands {
		if !shown[c.Words[0]] {
			t.Errorf("%s is not in the overview", c.Name())
		}
	}
}

// The commands for environments work on a publisher that another command serves.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	address, token := served(t)
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t.Context(), append(args, "--admin", address, "--token-file", token)...)
		if code != wantCode || !regexp.MustCompile(want).MatchString(stdout+stderr) {
			t.Errorf("flagside %v: exit code %d, %s%s; want %d, %s", args, code, stdout, stderr, wantCode, want)
		}
	}
	f(exitOK, `^NAME +STATE +FLAGS +REVISION +CREATED\n$`, "environment", "list")
	f(exitOK, `environment prod is created`, "environment", "create", "prod")
	f(exitOK, `environment shop is created`, "environment", "create", "shop", "--compatibility", "flagd")
	f(4, `exists`, "environment", "create", "prod")
	f(exitOK, `\nprod +in use +0 +[0-9a-f]{8}-2 +20.*\nshop +in use +0 +[0-9a-f]{8}-3 `, "environment", "list")
	f(exitOK, `environment prod has a new epoch with 0 flags at revision [0-9a-f]{8}-4`, "environment", "recreate", "prod")
	unknown := snapshotFile(t)
	f(exitOK, `(?s)"state": "ENABLED".*the log does not have the revision of the snapshot`, "environment", "restore", "prod", unknown, "--dry-run")
	f(3, `The log does not have revision`, "environment", "restore", "prod", unknown)
	f(exitConfiguration, `--reason`, "environment", "restore", "prod", unknown, "--break-glass")
	f(exitOK, `(?s)environment prod is restored with 1 flags at revision [0-9a-f]{8}-5.*flagside request review`,
		"environment", "restore", "prod", unknown, "--break-glass", "--reason", "the flags were lost")
	f(3, `not permitted to archive in environment prod`, "environment", "archive", "prod")
	f(exitOK, `environment shop is archived`, "environment", "archive", "shop")
	f(5, `unknown environment`, "environment", "archive", "none")
	f(exitOK, `\nshop +archived `, "environment", "list")
	f(5, `did you mean prod\?`, "flag", "list", "-e", "prdo")
}

// snapshotFile writes a snapshot of the environment prod with one flag.
func snapshotFile(t *testing.T) string {
	t.Helper()
	flag := document.Document{
		Kind: document.KindFlag, Key: "f", Revision: 2,
		Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`),
	}
	path := filepath.Join(t.TempDir(), "prod.snapshot")
	if err := os.WriteFile(path, trusttest.Default().Snapshot(t, "prod", flag), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Completion knows commands, options, their values, and the names that a publisher has.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, script, _ := runCommand(t.Context(), "completion", shell); code != exitOK || !strings.Contains(script, "flagside __complete") {
			t.Errorf("%s: exit code %d, %s", shell, code, script)
		}
	}
	address, token := served(t)
	for _, line := range [][]string{
		{"environment", "create", "staging"}, {"flag", "create", "checkout", "--bool", "-e", "staging"}, {"flag", "create", "chat", "--bool", "-e", "staging"},
	} {
		if code, stdout, stderr := runCommand(t.Context(), append(line, "--admin", address, "--token-file", token)...); code != exitOK {
			t.Fatalf("%v: %s%s", line, stdout, stderr)
		}
	}
	f := func(want string, line ...string) {
		t.Helper()
		_, stdout, stderr := runCommand(t.Context(), append([]string{"__complete"}, line...)...)
		if got := strings.Join(strings.Fields(stdout), " "); got != want || stderr != "" {
			t.Errorf("%q completes to %q, %s; want %q", line, got, stderr, want)
		}
	}
	f("segment settings session", "se")
	f("rollout rollback", "flag", "ro")
	f("--output", "flag", "get", "checkout", "--ou")
	f("table json yaml", "flag", "get", "checkout", "--output", "")
	f("json", "flag", "get", "checkout", "-o", "j")
	f("on off", "flag", "toggle", "checkout", "o")
	f("staging", "--admin", address, "--token-file", token, "flag", "get", "checkout", "-e", "")
	f("chat checkout", "flag", "get", "--admin", address, "--token-file", token, "-e", "staging", "ch")
	f(":file", "flag", "put", "checkout", "--file", "")
	f(":file", "environment", "restore", "prod", "")
	f(":file", "dev", "")
	f(":file", "audit", "verify", "--trust-file", "")
	f("", "flag", "get", "--admin", "http://127.0.0.1:1", "-e", "staging", "ch")
	f("", "nothing", "like", "this")
}

func TestMovedBy(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:8013": "127.0.0.1:8113", "[::1]:80": "[::1]:180", ":80": ":180", "127.0.0.1:0": "127.0.0.1:0", "off": "off", "unix:/run/flagd.sock": "unix:/run/flagd.sock",
	} {
		if got := movedBy(addr, 100); got != want {
			t.Errorf("%s is moved to %s, want %s", addr, got, want)
		}
	}
}
