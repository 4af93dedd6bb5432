package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	f := func(want string, words ...string) {
		t.Helper()
		code, stdout, stderr := command(t, nil, append([]string{"__complete"}, words...)...)
		if lines := strings.Join(strings.Fields(stdout), " "); code != exitOK || lines != want || stderr != "" {
			t.Errorf("%q: exit %d, got %q, want %q: %s", words, code, lines, want, stderr)
		}
	}
	f("healthz readyz completion version", "")
	f("readyz", "rea")
	f("--environment", "--env")
	f("--log-level --log-format", "--environment", "prod", "--log-")
	f("debug info warn error", "--log-level", "")
	f(":file", "--environment", "prod", "--data-dir", "")
	f("--management-addr", "healthz", "--man")
	f("bash zsh fish", "completion", "")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, script, _ := command(t, nil, "completion", shell); code != exitOK || !strings.Contains(script, "sidecar __complete") {
			t.Errorf("%s: exit %d: %s", shell, code, script)
		}
	}
}

func TestTheManualIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, _, stderr := command(t, nil, "__manual", dir); code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "sidecar.8")); err != nil || !strings.HasPrefix(string(text), ".TH SIDECAR 8") {
		t.Errorf("%v: %s", err, text)
	}
	if code, _, stderr := command(t, nil, "__manual"); code != exitConfiguration || !strings.Contains(stderr, "name the directory") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
