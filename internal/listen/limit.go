package listen

import (
	"net"
	"time"
)

// IdleConnection is after how long without a byte another client may get the place of a connection. It is longer than a request may take to
// arrive.
const IdleConnection = 6 * time.Second

// newLimit returns what bounds the connections of listeners, all of them together.
func newLimit(o Options) func(net.Listener) net.Listener {
	if o.MaxConnections == 0 {
		return func(l net.Listener) net.Listener { return l }
	}
	refused := o.Refused
	if refused == nil {
		refused = func() {}
	}
	places := NewPlaces(o.MaxConnections, IdleConnection)
	return func(l net.Listener) net.Listener {
		return &limited{Listener: l, places: places, refused: refused, stall: o.WriteStall}
	}
}

// limited closes connections that there is no place for at once, so that clients get an error instead of waiting.
type limited struct {
	net.Listener

	places  *Places
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
		admitted := &counted{Conn: c, stall: l.stall, holder: HolderOf(c)}
		var ok bool
		if admitted.place, ok = l.places.Take(admitted.holder, func() { l.refuse(c) }); ok {
			return admitted, nil
		}
		l.refuse(c)
	}
}

func (l *limited) refuse(c net.Conn) {
	c.Close()
	l.refused()
}

// counted is a connection that makes room when it is closed.
type counted struct {
	net.Conn

	stall  time.Duration // 0 leaves deadlines to the server
	holder Holder
	place  *Place
}

// Read reads, which uses the place of the connection.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.place.Use()
	}
	return n, err
}

// stallPiece is how many bytes a client has the time of a stall to take.
const stallPiece = 64 << 10

// Write writes in pieces, each of which the client has to take in time.
func (c *counted) Write(p []byte) (written int, err error) {
	defer c.place.Use()
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
		c.place.Use()
	}
	return written, err
}

// Close closes the connection.
func (c *counted) Close() error {
	defer c.place.Release()
	return c.Conn.Close()
}

// CloseWrite says that nothing more is sent, if the connection can say that.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
