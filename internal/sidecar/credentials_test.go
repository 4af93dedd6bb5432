package sidecar_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
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

// run runs a sidecar as it is asked to, without the credentials of other tests.
func run(t *testing.T, o sidecar.Options) *running {
	t.Helper()
	r := &running{t: t, logs: new(logs), ended: make(chan error, 1)}
	o.Logger = zerolog.New(r.logs)
	var err error
	if r.Sidecar, err = sidecar.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(r.stop)
	return r
}

func TestCredentialsDirectory(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	seed, err := os.ReadFile(natstest.SidecarKey(t))
	if err != nil {
		t.Fatal(err)
	}
	o := options(server.URL())
	o.Trusted, o.Credentials = false, mounted(t, map[string]string{"nats.nkey": string(seed), "trust": "roots"})
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
	await(t, "the condition", func() bool { return slices.Contains(r.conditions(), "nats-without-accounts") })
}

func TestNothingToTrustIsRefused(t *testing.T) {
	o := options(nowhere)
	o.Trusted = false
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "--credentials") || !strings.Contains(err.Error(), "--trust-file") {
		t.Errorf("with nothing to trust: %v", err)
	}
	o.BootstrapFile = "flags.json"
	if err := o.Validate(); err == nil {
		t.Error("a bootstrap file is taken for something to trust")
	}
	o.TrustFile = "trust"
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}
