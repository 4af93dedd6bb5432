package flagsync_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
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
	environments, err := writer.OpenEnvironments(t.Context(), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	r := startFollowing(t, c)
	r.until(t, "synced", isSynced)
}

// TestDomain speaks to servers with a JetStream domain. Accounts do without it.
func TestDomain(t *testing.T) {
	t.Parallel()
	embedded, err := natsserver.New(natsserver.Options{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Domain: "hub", Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	run(t, embedded.Run)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := embedded.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	name, password := embedded.User()
	plain := startServer(t, &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: t.TempDir(), JetStreamDomain: "hub",
	})
	for _, domain := range []string{"hub", "nowhere"} {
		accounts := connectWith(t, flagsync.ConnectOptions{Server: embedded, User: name, Password: password, Domain: domain})
		if _, err := writer.OpenEnvironments(t.Context(), accounts, 1); err != nil {
			t.Errorf("accounts, domain %s: %v", domain, err)
		}
		c := connectWith(t, flagsync.ConnectOptions{URL: plain.ClientURL(), Domain: domain})
		reachable := domain == "hub"
		if _, err = writer.OpenEnvironments(t.Context(), c, 1); (err == nil) != reachable {
			t.Errorf("domain %s: %v, want that it is reachable: %t", domain, err, reachable)
		}
		if !reachable && !errors.Is(err, flagsync.ErrUnreachable) {
			t.Errorf("domain %s: %v, want ErrUnreachable", domain, err)
		}
		if accounts.WithoutAccounts() || c.WithoutAccounts() != reachable {
			t.Errorf("domain %s: %t and %t without accounts, want false and %t", domain, accounts.WithoutAccounts(), c.WithoutAccounts(), reachable)
		}
	}
}

// TestPlainConnectionsStayOnThisMachine refuses what others could read and change
// on its way.
func TestPlainConnectionsStayOnThisMachine(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		url      string
		ca       string
		insecure bool
		refused  bool
	}{
		{url: "nats://192.0.2.1:4222", refused: true},
		{url: "nats://nats.example", refused: true},
		{url: "nats://[2001:db8::1]:4222", refused: true},
		{url: "ws://192.0.2.1:8080", refused: true},
		{url: "ws://192.0.2.1:8080", ca: ca, refused: true},
		{url: "nats://127.0.0.1:4222,nats://192.0.2.1:4222", refused: true},
		{url: "nats://localhost.example:4222", refused: true},
		{url: "nats://0.0.0.0:4222", refused: true},
		{url: "nats://192.0.2.1:4222", insecure: true},
		{url: "ws://192.0.2.1:4222", insecure: true},
		{url: "nats://192.0.2.1:4222", ca: ca}, // which demands TLS
		{url: "tls://192.0.2.1:4222"},
		{url: "wss://192.0.2.1:4222"},
		{url: "nats://127.0.0.1:4222"},
		{url: "nats://127.8.9.10:4222"},
		{url: "nats://[::1]:4222,nats://LOCALHOST"},
	} {
		err := flagsync.ConnectOptions{URL: c.url, CA: c.ca, Insecure: c.insecure}.Validate()
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "--nats-insecure") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
