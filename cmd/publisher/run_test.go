package main

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/waiting"
)

// The exit codes, under the names of the tests.
const (
	exitOK            = commandline.ExitOK
	exitFailure       = commandline.ExitFailure
	exitConfiguration = commandline.ExitUsage
)

// command runs a command line to its end.
func runCommand(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs logtest.Log
	code = run(ctx, args, commandline.Terminal{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
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
	f(exitOK, "Usage: publisher COMMAND")
	f(exitOK, "Usage: publisher COMMAND", "--help")
	f(exitOK, "keys export-root FILE", "keys")
	f(exitConfiguration, `no command "fly"`, "fly")
	f(exitConfiguration, "did you mean publisher serve?", "serv")
	f(exitConfiguration, "it is flagside dev flags.json", "dev", "flags.json")
	f(exitConfiguration, "it is flagside environment list", "environment", "list")
	f(exitConfiguration, "say where the streams are", "environment", "destroy", "x")
	f(exitOK, "", "version")
	f(exitOK, "", "--version")
	f(exitOK, "complete -F", "completion", "bash")
	f(exitConfiguration, "--data-dir", "serve")
	f(exitConfiguration, "publisher keys init DIR", "serve", "--nats", "nats://127.0.0.1:4222")
	f(exitConfiguration, "loopback", "serve", "--data-dir", "d", "--admin-addr", "0.0.0.0:8017")
	f(exitConfiguration, "replicas", "serve", "--data-dir", "d", "--replicas", "3")
	f(exitConfiguration, "flagside credentials add", "serve", "--data-dir", t.TempDir(), "--nats-addr", "0.0.0.0:4222", "--check")
	f(exitConfiguration, "leave one out", "serve", "--data-dir", "d", "--nats", "nats://127.0.0.1:4222")
}

// awaitMatch waits until the log matches, and returns the first group.
func awaitMatch(t *testing.T, log *logtest.Log, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var match []string
	waiting.Until(t, pattern+" in the log", func() bool {
		match = expression.FindStringSubmatch(log.String())
		return match != nil
	}, log)
	return match[1]
}
