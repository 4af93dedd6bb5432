package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
)

// busy returns an address that another process has.
func busy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// checkServe runs publisher serve --check with free addresses, unless args give others.
func checkServe(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	const free = "127.0.0.1:0"
	code, stdout, stderr := runCommand(t.Context(), append([]string{"serve", "--check", "--admin-addr", free}, args...)...)
	return code, stdout + stderr
}

// A check finds what a start would fail for, and leaves nothing where it has tried.
func TestCheckTriesWhatAStartTakes(t *testing.T) {
	t.Parallel()
	base, taken := t.TempDir(), busy(t)
	fresh, none := filepath.Join(base, "new", "data"), filepath.Join(base, "none")
	for _, test := range []struct {
		code int
		want string
		args []string
	}{
		{exitOK, "configuration is good", []string{"--data-dir", fresh, "--nats-addr", "127.0.0.1:0"}},
		{exitOK, "configuration is good", []string{"--data-dir", base, "--nats-addr", "127.0.0.1:0", "--checkpoint-file", filepath.Join(base, "checkpoints")}},
		{exitFailure, "another address with --nats-addr", []string{"--data-dir", fresh, "--nats-addr", taken}},
		{exitFailure, "another address with --admin-addr", []string{"--data-dir", fresh, "--nats-addr", "127.0.0.1:0", "--admin-addr", taken}},
		{exitFailure, none, []string{"--data-dir", fresh, "--nats-addr", "127.0.0.1:0", "--policy", none}},
		{exitFailure, none, []string{"--data-dir", fresh, "--nats-addr", "127.0.0.1:0", "--issuers", none}},
		{exitFailure, none, []string{"--data-dir", fresh, "--nats-addr", "127.0.0.1:0", "--keys", none}},
		{exitFailure, none, []string{"--data-dir", fresh, "--nats-addr", "127.0.0.1:0", "--checkpoint-file", filepath.Join(none, "checkpoints")}},
		{exitFailure, "not a directory", []string{"--data-dir", "run_test.go", "--nats-addr", "127.0.0.1:0"}},
	} {
		if code, output := checkServe(t, test.args...); code != test.code || !strings.Contains(output, test.want) {
			t.Errorf("%v: %d, %s; want %s", test.args, code, output, test.want)
		}
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "publisher.lock" { // of the data directory that was there
			t.Errorf("%s is left", e.Name())
		}
	}
}

// A data directory that a publisher uses, with its keys, is in use; that of one that has ended is not.
func TestCheckOfADataDirectoryInUse(t *testing.T) {
	t.Parallel()
	data, log := filepath.Join(t.TempDir(), "data"), &logtest.Log{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--data-dir", data, "--admin-addr", "127.0.0.1:0", "--nats-addr", "127.0.0.1:0"}, commandline.Terminal{Stdout: log, Stderr: log})
	}()
	awaitMatch(t, log, `(first token created)`)
	awaitMatch(t, log, `publisher started()`)
	if code, output := checkServe(t, "--data-dir", data, "--nats-addr", "127.0.0.1:0"); code != exitFailure || !strings.Contains(output, "another publisher uses the data directory") {
		t.Errorf("in use: %d, %s", code, output)
	}
	cancel()
	<-ended
	before := listing(t, data)
	if code, output := checkServe(t, "--data-dir", data, "--nats-addr", "127.0.0.1:0"); code != exitOK {
		t.Errorf("not in use: %d, %s", code, output)
	}
	if after := listing(t, data); after != before {
		t.Errorf("the check has left something: %s, before %s", after, before)
	}
}

// NATS that cannot be reached is found, and NATS that can is good.
func TestCheckOfAnotherServer(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	if code, output, _ := runCommand(t.Context(), "keys", "init", keys); code != exitOK {
		t.Fatal(output)
	}
	if code, output := checkServe(t, "--nats", "nats://"+closedAddress(t), "--keys", keys); code != exitFailure || !strings.Contains(output, "no connection to NATS") {
		t.Errorf("unreachable: %d, %s", code, output)
	}
	if code, output := checkServe(t, "--nats", natstest.Start(t).URL(), "--keys", keys); code != exitOK {
		t.Errorf("reachable: %d, %s", code, output)
	}
}

// closedAddress returns an address that nothing listens on.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listing returns the names in a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
