package flagsync_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
)

// TestConnectEndsWithItsContext connects to a server that takes connections and
// never says a word.
func TestConnectEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			accepted <- conn
		}
		cancel()
	}()
	begin := time.Now()
	c, err := flagsync.Connect(ctx, flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "nats://" + silent.Addr().String(), Logger: testLogger})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("connect: %v", err)
	}
	if err == nil {
		c.Close()
	}
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("it took %s to give up", took)
	}
	(<-accepted).Close()
}

// TestConnectionsOutliveTheContextOfConnect ends that context once there is a
// connection.
func TestConnectionsOutliveTheContextOfConnect(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	ctx, cancel := context.WithCancel(t.Context())
	c, err := flagsync.Connect(ctx, flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: p.url(), Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cancel()
	r := startFollowing(t, c, patient)
	r.until(t, "synced", isSynced)
	p.Cut()
	eventually(t, func() (bool, string) {
		return r.Barrier(t.Context()) == nil, "a barrier after the connection came back"
	})
}

// TestASilentServerIsGivenUpSoon connects to a server that takes connections
// and never says a word: that must not take as long as a greeting may.
func TestASilentServerIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // who waits to be accepted is connected all the same
	begin := time.Now()
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: "nats://" + silent.Addr().String(), Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if took := time.Since(begin); took >= 2*time.Second {
		t.Errorf("it took %s to try again", took)
	}
}
