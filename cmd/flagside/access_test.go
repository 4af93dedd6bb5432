package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// local runs a command that needs no publisher.
func local(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	var out bytes.Buffer
	code = run(t.Context(), args, commandline.Terminal{Stdout: &out, Stderr: &out})
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
	data, trust, ca := filepath.Join(dir, "data"), filepath.Join(dir, "roots"), filepath.Join(dir, "authority.pem")
	users := filepath.Join(data, "nats-users.json")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(data, 0o750); err != nil {
		t.Fatal(err)
	}
	write(trust, "other roots")
	write(ca, "authorities")
	f := func(code int, want string, args ...string) {
		t.Helper()
		got, output := local(t, append([]string{"credentials"}, args...)...)
		if got != code || !strings.Contains(output, want) {
			t.Errorf("%v: exit %d, %s", args, got, output)
		}
	}
	out := func(name string) string { return filepath.Join(dir, name) }
	add := []string{"add", "prod", "--data-dir", data, "--environment", "prod", "--out", out("prod")}
	f(exitConfiguration, "--environment", "add", "prod", "--data-dir", data, "--out", out("x"))
	f(exitConfiguration, "--data-dir", "add", "prod", "--environment", "prod", "--trust-file", trust, "--out", out("x"))
	f(exitConfiguration, "--trust-file", "add", "prod", "--environment", "prod", "--nats-users", users, "--out", out("x"))
	f(exitFailure, "--trust-file", add...) // there is no file trust yet
	if _, err := os.Stat(out("prod")); err == nil {
		t.Error("a directory without root keys is left behind")
	}
	write(filepath.Join(data, "trust"), "roots")
	f(exitOK, "sidecar --credentials", add...)
	f(exitFailure, "has a user prod", add...)
	f(exitOK, "web", "add", "web", "--data-dir", data, "--environment", "prod", "--exposure-key", out("prod.key"), "--out", out("web"))
	f(exitOK, "batch", "add", "batch", "--data-dir", data, "--environment", "prod", "--exposure-key", out("prod.key"), "--out", out("batch"))
	f(exitFailure, "roots: it is not base64", "add", "other", "--data-dir", data, "--environment", "prod", "--exposure-key", trust, "--out", out("x"))
	f(exitFailure, "--exposure-key is a key", "add", "other", "--data-dir", data, "--environment", "prod", "--exposure-key", strings.Repeat("QUJD", 11), "--out", out("x"))
	f(exitConfiguration, "publishers need no key", "add", "other", "--role", "publisher", "--data-dir", data, "--exposure-key", out("prod.key"), "--out", out("x"))
	key, err := os.ReadFile(out("prod.key"))
	if err != nil {
		t.Fatal(err)
	}
	f(exitFailure, "not empty", "add", "other", "--data-dir", data, "--environment", "prod", "--out", out("prod"))
	f(exitFailure, "authority.pemx", "add", "other", "--data-dir", data, "--environment", "prod", "--ca", ca+"x", "--out", out("x"))
	f(exitOK, "main", "add", "main", "--role", "publisher", "--nats-users", users, "--trust-file", trust, "--nats-ca", ca, "--out", out("main"))
	f(exitOK, "feed.prod.>", "config", "--nats-users", users)
	f(exitOK, "nsc add account --name SC_prod", "config", "--data-dir", data, "--format", "jwt")

	for name, want := range map[string]map[string]string{
		"prod":  {"nats.nkey": "SU", "trust": "roots"},
		"web":   {"nats.nkey": "SU", "trust": "roots", "exposure.key": string(key)},
		"batch": {"nats.nkey": "SU", "trust": "roots", "exposure.key": string(key)},
		"main":  {"nats.nkey": "SU", "trust": "other roots", "ca.pem": "authorities"},
	} {
		found, err := os.ReadDir(out(name))
		if info, statErr := os.Stat(out(name)); err != nil || statErr != nil || len(found) != len(want) || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has %v: %v, %v", name, found, err, statErr)
		}
		for file, begin := range want {
			text, err := os.ReadFile(filepath.Join(out(name), file))
			if err != nil || !strings.HasPrefix(string(text), begin) {
				t.Errorf("%s/%s: %q, %v", name, file, text, err)
			}
			if info, err := os.Stat(filepath.Join(out(name), file)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s/%s: others can read it: %v", name, file, err)
			}
		}
	}
	seed, err := os.ReadFile(filepath.Join(out("prod"), "nats.nkey"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := natsserver.ReadUsers(users)
	if err != nil || len(all) != 4 || all[0].Name != "prod" || all[3].Role != natsserver.RolePublisher {
		t.Errorf("%+v, %v", all, err)
	}
	kept, err := os.ReadFile(users)
	if err != nil || bytes.Contains(kept, bytes.TrimSpace(seed)) {
		t.Errorf("%v: the seed stands beside the public key", err)
	}
	f(exitOK, "removed", "remove", "prod", "--data-dir", data)
	f(exitFailure, "no user prod", "remove", "prod", "--nats-users", users)
}

// That the embedded NATS server must not listen where it is asked to is said before anything starts.
