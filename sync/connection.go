package flagsync

import (
	"context"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Conn is a connection to NATS that repairs itself. It is safe for concurrent
// use. Followers and writers share one.
type Conn = jetstream.Conn

// ConnectOptions tell how to reach NATS.
type ConnectOptions = jetstream.ConnectOptions

// Connect returns a connection. That the server cannot be reached is no error:
// it is tried until Close. Wrong options are. When ctx ends before the first
// attempt is over, there is no connection.
func Connect(ctx context.Context, o ConnectOptions) (*Conn, error) { return jetstream.Connect(ctx, o) }

// CheckConnection connects once and reports why that is impossible. It waits a
// few seconds at most.
func CheckConnection(ctx context.Context, o ConnectOptions) error {
	c, err := Connect(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	return jetstream.Use(c).AwaitConnection(ctx)
}
