package flagsync

import (
	"context"
	"net"
	"sync"
)

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
	return conn, nil
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
