package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// keysCommand runs a command that has to succeed, and returns what it prints, with what differs between runs replaced.
func keysCommand(t *testing.T, base string, args ...string) string {
	t.Helper()
	code, stdout, stderr := runCommand(t.Context(), append([]string{"keys"}, args...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("publisher keys %v: exit code %d, %s%s", args, code, stdout, stderr)
	}
	stdout = strings.ReplaceAll(stdout, base, "BASE")
	stdout = regexp.MustCompile(`\b[0-9a-f]{32}\b`).ReplaceAllString(stdout, "INSTALLATION")
	return regexp.MustCompile(`\b[0-9a-f]{8}\b`).ReplaceAllString(stdout, "KEY")
}

func TestKeysCommands(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, root := filepath.Join(base, "keys"), filepath.Join(base, "root")
	f := func(want string, args ...string) {
		t.Helper()
		if got := keysCommand(t, base, args...); got != want {
			t.Errorf("publisher keys %v prints\n%s\nwant\n%s", args, got, want)
		}
	}
	f(`The keys of installation INSTALLATION are in BASE/keys:
  BASE/keys/root.key: secret, signs the list of signing keys; move it away with publisher keys export-root FILE --keys BASE/keys
  BASE/keys/signing.key: secret, publishers sign the change log with it (key KEY)
  BASE/keys/keys.note: the list of signing keys, signed by the root key; public
  BASE/keys/trust: the trust file; public, but replace it only on purpose: give every sidecar a copy with --trust-file
Start publishers with --keys BASE/keys.
`, "init", dir)
	f(`installation INSTALLATION
keys note version 1
signing key KEY signs
root key KEY is trusted
The root key is in the directory: move it away with publisher keys export-root FILE --keys BASE/keys.
`, "list", "--keys", dir)
	f(`Root key KEY is in BASE/root and no longer in BASE/keys.
Move the file to a place where no publisher runs, such as a password manager or a safe, and keep a second copy.
publisher keys rotate and revoke need it with --root FILE. It can replace every other key, and without it no key can be replaced.
`, "export-root", root, "--data-dir", dir)
	f(`Key KEY is the new signing key. Version 2 of the keys note lists it beside the old one.
Publishers that read BASE/keys use it within seconds. Where publishers have copies, replace signing.key, keys.note and trust there.
When all of them use it, run publisher keys rotate --finish. Sidecars need nothing.
`, "rotate", "--keys", dir, "--root", root)
	f(`installation INSTALLATION
keys note version 2
signing key KEY signed before the rotation
signing key KEY signs
root key KEY is trusted
The root key is not in the directory: rotate and revoke need --root.
`, "list", "--keys", dir)
	f(`Key KEY is no longer listed.
The rotation is finished: version 3 of the keys note counts, and key KEY signs.
Publishers that still use an old key stop writing: replace signing.key, keys.note and trust there. Sidecars need nothing.
`, "rotate", "--finish", "--keys", dir, "--root", root)
	f(`Key KEY is revoked by version 4 of the keys note.
Key KEY is the new signing key.
Publishers that read BASE/keys notice within seconds. Where publishers have copies, replace signing.key, keys.note and trust there.
A sidecar that is connected refuses the key as soon as a publisher has written the keys note. Give new sidecars the new trust file.
If the key was stolen, compare each environment's history with what you approved, and roll back what you did not.
`, "revoke", signingKey(t, dir), "--keys", dir, "--root", root)
}

// signingKey returns the id of the key that signs.
func signingKey(t *testing.T, dir string) string {
	t.Helper()
	_, stdout, _ := runCommand(t.Context(), "keys", "list", "--keys", dir)
	found := regexp.MustCompile(`signing key ([0-9a-f]{8}) signs`).FindStringSubmatch(stdout)
	if found == nil {
		t.Fatalf("no key signs: %s", stdout)
	}
	return found[1]
}

func TestKeysCommandsRefuse(t *testing.T) {
	t.Parallel()
	dir, none := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "none")
	keysCommand(t, dir, "init", dir)
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t.Context(), append([]string{"keys"}, args...)...)
		if code != wantCode || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("publisher keys %v: exit code %d, %s%s; want %d, %s", args, code, stdout, stderr, wantCode, want)
		}
	}
	f(exitConfiguration, "--keys or --data-dir", "list")
	f(exitConfiguration, "--keys or --data-dir", "rotate")
	f(exitFailure, "it holds keys already", "init", dir)
	f(exitFailure, "publisher keys init "+none, "list", "--keys", none)
	f(exitFailure, "publisher keys init "+none, "rotate", "--keys", none)
	f(exitFailure, "no rotation has begun", "rotate", "--finish", "--keys", dir)
	f(exitFailure, "lists no key 01234567", "revoke", "01234567", "--keys", dir)
	f(exitFailure, "elsewhere", "export-root", filepath.Join(dir, "root"), "--keys", dir)
}

// Warnings go to standard error, and the command is done all the same.
func TestKeysWarnings(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	keysCommand(t, dir, "init", dir)
	if err := os.Chmod(filepath.Join(dir, "signing.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runCommand(t.Context(), "keys", "list", "--keys", dir)
	if code != exitOK || !strings.Contains(stdout, "version 1") || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, "chmod 0600") {
		t.Errorf("exit code %d, %s, %s", code, stdout, stderr)
	}
}

func TestKeysInitKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if code, _, stderr := runCommand(t.Context(), "keys", "init", dir, "--keep"); code != 0 {
		t.Fatal(stderr)
	}
	before := signingKey(t, dir)
	if code, stdout, _ := runCommand(t.Context(), "keys", "init", dir, "--keep"); code != 0 || !strings.Contains(stdout, "they stay") || signingKey(t, dir) != before {
		t.Errorf("exit %d: %s", code, stdout)
	}
	if err := os.Remove(filepath.Join(dir, "signing.key")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runCommand(t.Context(), "keys", "init", dir, "--keep"); code != 1 || !strings.Contains(stderr, "signing.key") {
		t.Errorf("incomplete keys are kept: exit %d: %s", code, stderr)
	}
}
