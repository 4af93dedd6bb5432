package sidecar_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
)

// mounted writes files as Kubernetes mounts a Secret: each is a link into a directory that is a link itself.
func mounted(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "..version"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..version", filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "..version", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A directory of credentials is all that a sidecar needs to know.
func TestCredentialsDirectory(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	seed, err := os.ReadFile(natstest.SidecarKey(t))
	if err != nil {
		t.Fatal(err)
	}
	o := options(server.URL())
	o.Trust, o.Credentials = changelog.Trust{}, mounted(t, map[string]string{"nats.nkey": string(seed), "trust": trusttest.Default().TrustText()})
	r := run(t, o)
	r.awaitValue("greeting", 1.0)
	if conditions := r.conditions(); slices.Contains(conditions, "nats-without-accounts") {
		t.Errorf("conditions %v", conditions)
	}
}

// A NATS server that keeps all in one account works, and the sidecar says what that means.
func TestWithoutAccountsIsACondition(t *testing.T) {
	server := natstest.StartWithoutAccounts(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	r := run(t, options(server.URL()))
	r.awaitValue("greeting", 1.0)
	waiting.Until(t, "the condition", func() bool { return slices.Contains(r.conditions(), "nats-without-accounts") })
}

// Nothing is believed on first use: without something to trust there is no sidecar, and what would help is named.
func TestNothingToTrustIsRefused(t *testing.T) {
	o := options(nowhere)
	o.Trust = changelog.Trust{}
	for _, bootstrap := range []string{"", write(t, `{"flags":{}}`)} {
		o.BootstrapFile = bootstrap
		s, err := sidecar.New(o)
		if err == nil {
			s.Close()
			t.Fatalf("a sidecar with the bootstrap file %q starts without anything to trust", bootstrap)
		}
		for _, option := range []string{"--credentials", "--trust-file"} {
			if !strings.Contains(err.Error(), option) {
				t.Errorf("%v does not name %s", err, option)
			}
		}
	}
	o.TrustFile = filepath.Join(trusttest.Default().Directory(t), "trust")
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}

// What is wrong beside that is told at once.
func TestNothingToTrustAndMore(t *testing.T) {
	o := options("http://127.0.0.1:1")
	o.Trust, o.ReadyWhen = changelog.Trust{}, "never"
	err := o.Validate()
	for _, told := range []string{"--trust-file", "http://127.0.0.1:1", "never"} {
		if err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%v does not tell of %s", err, told)
		}
	}
}
