package flagsync

import (
	"context"
	"errors"
	"net"

	"github.com/rs/zerolog"
)

// ConnectOptions tell how to reach NATS.
type ConnectOptions struct {
	// URL is the address of a server, nats:// or tls://, or several separated
	// by commas. It must be empty when Server is set.
	URL string
	// Server is an embedded server to be reached without a network, or nil.
	Server interface{ InProcessConn() (net.Conn, error) }
	// Domain is the JetStream domain, needed through a leaf node; "" is none.
	Domain string
	// Credentials is the path of a NATS credentials file; "" is none.
	Credentials string
	// Name is the connection's name, for people who look at the server.
	Name string
	// InboxPrefix is the first part of the subjects replies come to; "" is
	// _INBOX. Sidecars need their own, so that none can read another's replies.
	InboxPrefix string
	// Logger receives what happens to the connection.
	Logger zerolog.Logger
}

// Conn is a connection to NATS that repairs itself. It is safe for concurrent
// use.
type Conn struct{}

// Connect returns a connection. That the server cannot be reached is no error:
// it is tried until Close. Wrong options are.
func Connect(ctx context.Context, o ConnectOptions) (*Conn, error) {
	return nil, errors.ErrUnsupported
}

// Close ends the connection for good.
func (c *Conn) Close() {}

// Connected reports whether there is a connection now.
func (c *Conn) Connected() bool { return false }

// LastError returns the last thing that went wrong with the connection, or nil.
func (c *Conn) LastError() error { return nil }
