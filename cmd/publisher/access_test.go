package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// local runs a command that needs no publisher.
func local(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	var out bytes.Buffer
	code = run(t.Context(), args, terminal{lookup: func(string) (string, bool) { return "", false }, stdout: &out, stderr: &out})
	return code, out.String()
}

func TestPolicyCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.cedar")
	text := `@id("two") permit (principal, action, resource) when { context.approvals > 1 };`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.cedar")
	if err := os.WriteFile(broken, []byte("permit (principal, action, resource) when { resource.x };"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(code int, want string, args ...string) {
		t.Helper()
		got, output := local(t, append([]string{"policy", "check"}, args...)...)
		if got != code || !strings.Contains(output, want) {
			t.Errorf("%v: exit %d, %s", args, got, output)
		}
	}
	f(exitOK, "the policies are good")
	f(exitOK, "the policies are good", "--policy", file)
	f(exitFailure, "broken.cedar:1:1", "--policy", broken)
	f(exitOK, "permitted: by editors-edit", "--group", "flagside:editor", "--action", "change", "--resource", "staging/flag/a/b")
	f(7, "1 approval: by second-person-where-mistakes-are-expensive",
		"--group", "flagside:editor", "--action", "change", "--resource", "prod/flag/f")
	f(7, "2 approvals: by two", "--policy", file, "--action", "change", "--resource", "prod")
	f(3, "no policy permits it", "--action", "read", "--resource", "prod")
	f(7, "second-person-where-much-depends",
		"--group", "flagside:admin", "--action", "archive", "--resource", "staging/segment/s", "--dependants", "10")
	f(7, "second-person-where-mistakes", "--group", "flagside:admin", "--action", "change", "--resource", "a/flag/f", "--tag", "x,security")
	f(exitOK, "permitted", "--group", "flagside:admin", "--action", "change", "--resource", "prod/settings", "--break-glass")
	f(exitConfiguration, "destroy", "--action", "destroy")
	f(exitConfiguration, "prod/flag/checkout", "--action", "read", "--resource", "prod/flag")
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	users, seed := filepath.Join(dir, "users.json"), filepath.Join(dir, "prod.nk")
	f := func(code int, want string, args ...string) {
		t.Helper()
		got, output := local(t, append([]string{"credentials"}, args...)...)
		if got != code || !strings.Contains(output, want) {
			t.Errorf("%v: exit %d, %s", args, got, output)
		}
	}
	create := []string{"create", "prod", "--nats-users", users, "--environment", "prod", "--seed-file", seed}
	f(exitConfiguration, "--environment", "create", "prod", "--nats-users", users, "--seed-file", seed)
	f(exitOK, "prod.nk", create...)
	f(exitFailure, "has a user prod", create...)
	f(exitFailure, "exists", "create", "other", "--nats-users", users, "--environment", "prod", "--seed-file", seed)
	f(exitOK, "main", "create", "main", "--role", "publisher", "--nats-users", users, "--seed-file", filepath.Join(dir, "main.nk"))
	f(exitOK, "feed.prod.>", "config", "--nats-users", users)

	text, err := os.ReadFile(seed)
	if err != nil || !bytes.HasPrefix(text, []byte("SU")) {
		t.Errorf("%v: no seed", err)
	}
	if info, err := os.Stat(seed); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: others can read the seed", err)
	}
	all, err := natsserver.ReadUsers(users)
	if err != nil || len(all) != 2 || all[0].Name != "prod" || all[1].Role != natsserver.RolePublisher {
		t.Errorf("%+v, %v", all, err)
	}
	kept, err := os.ReadFile(users)
	if err != nil || bytes.Contains(kept, bytes.TrimSpace(text)) {
		t.Errorf("%v: the seed stands beside the public key", err)
	}
	f(exitOK, "removed", "remove", "prod", "--nats-users", users)
	f(exitFailure, "no user prod", "remove", "prod", "--nats-users", users)
}

// That the embedded NATS server must not listen where it is asked to is said before anything starts.
func TestNATSBeyondLoopback(t *testing.T) {
	code, output := local(t, "serve", "--data-dir", t.TempDir(), "--nats-addr", "0.0.0.0:4222", "--check")
	if code != exitConfiguration || !strings.Contains(output, "publisher credentials create") {
		t.Errorf("exit %d, %s", code, output)
	}
}
