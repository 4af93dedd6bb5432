// Package natstest runs JetStream in the process of a test, for users with the
// permissions that they have in production.
package natstest

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/waiting"
)

// startTimeout is generous: a start takes milliseconds, but not on a machine
// that is busy with other tests.
const startTimeout = time.Minute

// writeDeadline is that of the embedded server.
const writeDeadline = 10 * time.Second

// Server is one JetStream node on a loopback port.
type Server struct {
	*Node
}

// Start returns a running server. Its store is a temporary directory, and both
// end with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return start(tb, newNode(tb, "node", tb.TempDir(), server.RANDOM_PORT))
}

func start(tb testing.TB, n *Node) *Server {
	tb.Helper()
	s := &Server{n}
	s.start(tb)
	tb.Cleanup(func() { s.Stop(tb) })
	s.awaitReady(tb)
	s.options.Port = s.server.Addr().(*net.TCPAddr).Port // for good
	return s
}

// StartWithoutAccounts returns a running server that lets all clients in, to one
// account with everything.
func StartWithoutAccounts(tb testing.TB) *Server {
	tb.Helper()
	n := newNode(tb, "node", tb.TempDir(), server.RANDOM_PORT)
	n.options.Accounts, n.options.Users, n.options.Nkeys, n.options.NoAuthUser = nil, nil, nil, ""
	return start(tb, n)
}

// Dir returns the directory of the store, for tests that replace it while the
// server is stopped.
func (s *Server) Dir() string { return s.options.StoreDir }

// InProcessConn returns a connection that needs no network.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// Client returns a plain connection of nats.go, for tests that look at the
// streams or disturb them: it may do everything there. It ends with the test.
func (s *Server) Client(tb testing.TB) *nats.Conn {
	tb.Helper()
	return Connect(tb, s.URL())
}

// Connect returns a plain connection to the server at a URL, which may do
// everything with the streams there. It ends with the test.
func Connect(tb testing.TB, url string) *nats.Conn {
	tb.Helper()
	return connectAs(tb, url, operator)
}

// ConnectLocally returns a connection of a process on this machine that calls itself a sidecar of an environment, without credentials.
func ConnectLocally(tb testing.TB, url, environment string) *nats.Conn {
	tb.Helper()
	return connectWith(tb, url, environment, "")
}

// ConnectPublishers returns a plain connection which may do everything in the
// account of publishers. Only what is published there reaches sidecars.
func ConnectPublishers(tb testing.TB, url string) *nats.Conn {
	tb.Helper()
	return connectAs(tb, url, speaker)
}

// ConnectSidecars returns a plain connection which may do everything in the
// account of the sidecars of [Environment], and so sees what they ask for.
func ConnectSidecars(tb testing.TB, url string) *nats.Conn {
	tb.Helper()
	return connectAs(tb, url, neighbour)
}

// JetStream returns the JetStream of a connection, for requests that take as long as a busy machine does.
func JetStream(tb testing.TB, c *nats.Conn) nats.JetStreamContext {
	tb.Helper()
	js, err := c.JetStream(nats.MaxWait(waiting.Patience))
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

func connectAs(tb testing.TB, url, user string) *nats.Conn {
	tb.Helper()
	return connectWith(tb, url, user, user)
}

func connectWith(tb testing.TB, url, user, password string) *nats.Conn {
	tb.Helper()
	c, err := nats.Connect(url, nats.UserInfo(user, password), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}
