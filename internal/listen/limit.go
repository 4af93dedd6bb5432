package listen

import (
	"net"
	"sync"
	"time"
)

// withLimit wraps a listener; without a limit it stays as it is.
func withLimit(l net.Listener, o Options) net.Listener {
	if o.MaxConnections == 0 || l == nil {
		return l
	}
	if o.Refused == nil {
		o.Refused = func() {}
	}
	return &limited{Listener: l, shares: NewShares(o.MaxConnections), refused: o.Refused, stall: o.WriteStall}
}

// limited closes connections above its capacity, and above the share of their client, at once, so that clients get an error instead of waiting.
type limited struct {
	net.Listener

	shares  *Shares
	refused func()
	stall   time.Duration
}

// Accept returns the next connection that there is room for.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if client := Client(c); l.shares.Take(client) {
			return &counted{Conn: c, stall: l.stall, release: sync.OnceFunc(func() { l.shares.Release(client) })}, nil
		}
		c.Close()
		l.refused()
	}
}

// counted is a connection that makes room when it is closed.
type counted struct {
	net.Conn

	stall   time.Duration // 0 leaves deadlines to the server
	release func()
}

// stallPiece is how many bytes a client has the time of a stall to take.
const stallPiece = 64 << 10

// Write writes in pieces, each of which the client has to take in time.
func (c *counted) Write(p []byte) (written int, err error) {
	if c.stall == 0 {
		return c.Conn.Write(p)
	}
	for err == nil && written < len(p) {
		if err = c.Conn.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		var n int
		n, err = c.Conn.Write(p[written:min(len(p), written+stallPiece)])
		written += n
	}
	return written, err
}

// Close closes the connection.
func (c *counted) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite says that nothing more is sent, if the connection can say that.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
