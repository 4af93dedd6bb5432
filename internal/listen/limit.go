package listen

import (
	"net"
	"sync"
	"sync/atomic"
)

// withLimit wraps a listener; without a limit it stays as it is.
func withLimit(l net.Listener, o Options) net.Listener {
	if o.MaxConnections == 0 || l == nil {
		return l
	}
	if o.Refused == nil {
		o.Refused = func() {}
	}
	return &limited{Listener: l, capacity: int64(o.MaxConnections), refused: o.Refused}
}

// limited closes connections above its capacity at once, so that those who wait learn it.
type limited struct {
	net.Listener

	capacity int64
	refused  func()
	open     atomic.Int64
}

// Accept returns the next connection that there is room for.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.capacity {
			return &counted{Conn: c, release: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		c.Close()
		l.refused()
	}
}

// counted is a connection that makes room when it is closed.
type counted struct {
	net.Conn

	release func()
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
