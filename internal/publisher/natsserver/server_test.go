package natsserver_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/natsserver"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options natsserver.Options
		want    string
	}{
		"no directory":        {natsserver.Options{Addr: "127.0.0.1:0"}, "directory"},
		"no address":          {natsserver.Options{StoreDir: "d"}, "NATS server"},
		"every interface":     {natsserver.Options{StoreDir: "d", Addr: ":4222"}, "other machines"},
		"another interface":   {natsserver.Options{StoreDir: "d", Addr: "192.0.2.1:4222"}, "other machines"},
		"port out of range":   {natsserver.Options{StoreDir: "d", Addr: "127.0.0.1:70000"}, "port"},
		"negative storage":    {natsserver.Options{StoreDir: "d", Addr: "127.0.0.1:0", MaxStore: -1}, "storage"},
		"domain with a space": {natsserver.Options{StoreDir: "d", Addr: "127.0.0.1:0", Domain: "a b"}, "domain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := natsserver.New(tc.options)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that mentions %q", err, tc.want)
			}
		})
	}
}

// A change that is acknowledged is on the disk. No test can cut the power, so the setting itself is looked at.
func TestAcknowledgedIsOnTheDisk(t *testing.T) {
	t.Parallel()
	o, err := natsserver.Terms(natsserver.Options{StoreDir: "d", Addr: "127.0.0.1:0"})
	if err != nil || !o.SyncAlways {
		t.Errorf("acknowledged changes wait for the disk: %v", err)
	}
}

func start(t *testing.T, addr string) (s *natsserver.Server, stop func() error) {
	t.Helper()
	s, err := natsserver.New(natsserver.Options{StoreDir: t.TempDir(), Addr: addr, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() error {
		cancel()
		return <-done
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	s, stop := start(t, "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	name, password := s.User()
	for name, options := range map[string][]nats.Option{
		"network":    {nats.UserInfo("prod", "")},
		"in process": {nats.InProcessServer(s), nats.UserInfo(name, password)},
	} {
		c, err := nats.Connect(s.ClientURL(), options...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.FlushTimeout(patience); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
	if err := stop(); err != nil {
		t.Errorf("Run returned %v, want nil", err)
	}
	if _, err := nats.Connect(s.ClientURL(), nats.UserInfo("prod", "")); err == nil {
		t.Error("the server still accepts connections after Run has returned")
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s, stop := start(t, taken.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Ready returned %v, want that the address is in use", err)
	}
	if err := stop(); err == nil {
		t.Error("Run returned nil for an address that is in use")
	}
}
