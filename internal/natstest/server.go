// Package natstest runs JetStream in the process of a test.
package natstest

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

// startTimeout is generous: a start takes milliseconds, but not on a machine
// that is busy with other tests.
const startTimeout = 20 * time.Second

// Server is one JetStream node on a loopback port.
type Server struct {
	dir  string
	addr string
	nats *natsserver.Server
	stop context.CancelFunc
	done chan error
}

// Start returns a running server. Its store is a temporary directory, and both
// end with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{dir: tb.TempDir(), addr: "127.0.0.1:0"}
	s.start(tb)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

func (s *Server) start(tb testing.TB) {
	tb.Helper()
	nats, err := natsserver.New(natsserver.Options{StoreDir: s.dir, Addr: s.addr, Logger: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	// Not the context of the test, which ends before its clean-up runs.
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- nats.Run(ctx) }()
	s.nats, s.stop, s.done = nats, stop, done

	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := nats.Ready(wait); err != nil {
		tb.Fatal(err)
	}
	s.addr = strings.TrimPrefix(nats.ClientURL(), "nats://")
}

// URL returns the address for clients. It stays the same over Stop and Restart.
func (s *Server) URL() string { return "nats://" + s.addr }

// Dir returns the directory of the store, for tests that replace it while the
// server is stopped.
func (s *Server) Dir() string { return s.dir }

// InProcessConn returns a connection that needs no network.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Stop shuts the server down and keeps its store. Stopping a stopped server
// does nothing.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.done; err != nil {
		tb.Error(err)
	}
}

// Restart starts the server again, after stopping it if it runs, with the same
// store and port.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Stop(tb)
	s.start(tb)
}

// Client returns a plain connection of nats.go, for tests that look at the
// server or disturb it. It ends with the test.
func (s *Server) Client(tb testing.TB) *nats.Conn {
	tb.Helper()
	return Connect(tb, s.URL())
}

// Connect returns a plain connection to the server at a URL. It ends with the
// test.
func Connect(tb testing.TB, url string) *nats.Conn {
	tb.Helper()
	c, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}
