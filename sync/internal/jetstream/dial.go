package jetstream

import (
	"context"
	"net"
	"sync"
	"time"
)

// greetingTimeout is how long a server may take to say its first word, which it
// does without being asked: long before dialTimeout, after which a whole
// greeting with TLS must be over. A connection whose words are lost on their way
// does not keep us long after the way is open again.
const greetingTimeout = time.Second

// firstDial makes connections. Until it is over, the end of a context breaks off
// what is under way, be it the dialling or the greeting of a server that says
// nothing; afterwards connections are kept until they are closed.
type firstDial struct {
	dialer net.Dialer

	mu    sync.Mutex
	ctx   context.Context //nolint:containedctx // nats.go dials without one; background once the first dial is over
	bound []func() bool
}

func newFirstDial(ctx context.Context) *firstDial {
	return &firstDial{dialer: net.Dialer{Timeout: dialTimeout}, ctx: ctx}
}

// Dial implements [nats.CustomDialer].
func (d *firstDial) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := d.ctx
	d.mu.Unlock()
	conn, err := d.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == ctx {
		d.bound = append(d.bound, context.AfterFunc(ctx, func() { _ = conn.Close() })) // ends what reads from it
	}
	return Greeted(conn), nil
}

// over lets connections outlive the context.
func (d *firstDial) over() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, release := range d.bound {
		release()
	}
	d.ctx, d.bound = context.Background(), nil
}

// greetedConn fails when the first word does not come in time.
type greetedConn struct {
	net.Conn
	greeted bool // read and written by who reads
}

// Read implements [net.Conn].
func (c *greetedConn) Read(b []byte) (int, error) {
	if c.greeted {
		return c.Conn.Read(b)
	}
	begin := time.Now()
	if err := c.SetReadDeadline(begin.Add(greetingTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if err != nil {
		_ = c.Close() // nats.go forgets it, and would leave the server with it
		return n, err
	}
	c.greeted = true
	return n, c.SetReadDeadline(begin.Add(dialTimeout)) // what follows; the greeting takes it away at the end
}

// Greeted returns a connection that is given up when it does not begin with a greeting in time, as those over the network are.
func Greeted(c net.Conn) net.Conn { return &greetedConn{Conn: c} }
