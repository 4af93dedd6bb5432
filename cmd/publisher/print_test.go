package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What --print-config prints is accepted by --config, and means the same.
func TestPrintedConfigurationIsAccepted(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"embedded server":        {"serve", "--data-dir", "d"},
		"embedded server, moved": {"serve", "--data-dir", "d", "--nats-addr", "127.0.0.1:14222"},
		"another server":         {"serve", "--nats", "nats://127.0.0.1:4222", "--keys", "k", "--replicas", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, printed, stderr := runCommand(t.Context(), append(slices.Clone(args), "--print-config")...)
			if code != exitOK {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			file := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, stdout, stderr := runCommand(t.Context(), "serve", "--config", file, "--check"); code == exitConfiguration {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr) // whether what it names can be used is another question
			}
			if _, again, _ := runCommand(t.Context(), "serve", "--config", file, "--print-config"); again != printed {
				t.Errorf("it is printed as\n%s\nand read as\n%s", printed, again)
			}
		})
	}
}
