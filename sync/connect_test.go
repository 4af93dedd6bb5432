package flagsync_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
)

func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	for name, tc := range map[string]struct {
		options flagsync.ConnectOptions
		want    string
	}{
		"no server":       {flagsync.ConnectOptions{}, "URL"},
		"two servers":     {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.URL(), Server: server}, "either"},
		"another scheme":  {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "http://localhost:4222"}, "nats://"},
		"no host":         {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "nats://"}, "host"},
		"one of two":      {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.URL() + ",localhost"}, "nats://"},
		"no scheme":       {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "localhost:4222"}, "nats://"},
		"no such port":    {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "nats://localhost:70000"}, "70000"},
		"an escape":       {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "nats://user:hidden@%zz"}, "nats://"},
		"a password":      {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "user:hidden@localhost:4222"}, "nats://"},
		"a domain":        {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.URL(), Domain: "a.b"}, "domain"},
		"credentials":     {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.URL(), Credentials: filepath.Join(t.TempDir(), "none")}, "credentials"},
		"an inbox prefix": {flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.URL(), InboxPrefix: "a.*"}, "prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := flagsync.Connect(t.Context(), tc.options)
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that mentions %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := flagsync.Connect(ctx, flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.URL()}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestConnectInProcess needs no network, before and after a restart.
func TestConnectInProcess(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Server: server, InboxPrefix: "_INBOX.own", Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	environments, err := flagsync.OpenEnvironments(t.Context(), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), environment, "tester"); err != nil {
		t.Fatal(err)
	}
	r := follow(t, c)
	r.until(t, "synced", isSynced)
}

// TestDomain speaks to a server with a JetStream domain.
func TestDomain(t *testing.T) {
	t.Parallel()
	server, err := natsserver.New(natsserver.Options{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Domain: "hub", Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	run(t, server.Run)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for domain, reachable := range map[string]bool{"hub": true, "nowhere": false} {
		c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: server.ClientURL(), Domain: domain, Logger: testLogger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err = flagsync.OpenEnvironments(t.Context(), c, 1); (err == nil) != reachable {
			t.Errorf("domain %s: %v, want that it is reachable: %t", domain, err, reachable)
		}
		if !reachable && !errors.Is(err, flagsync.ErrUnreachable) {
			t.Errorf("domain %s: %v, want ErrUnreachable", domain, err)
		}
	}
}
