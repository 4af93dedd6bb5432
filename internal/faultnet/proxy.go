// Package faultnet stands between a client and a server of a test and breaks
// their connections the way networks do: it cuts them, delays, holds or drops
// what goes through, and leaves them half open, all of them or one by one.
package faultnet

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Action is what happens to bytes. The zero value lets them through.
type Action int

// The actions.
const (
	Pass Action = iota
	Hold        // keep them until the action changes; what is kept is lost when the connection ends
	Drop        // swallow them and, because a stream with a hole is none, all that follow on the connection
)

// Rule is what happens to what goes in one direction. The zero value is an
// undisturbed network.
type Rule struct {
	Action Action
	Delay  time.Duration // between arrival and departure; the order stays
}

// Faults are the rules of both directions. The zero value is an undisturbed
// network.
type Faults struct {
	// From is a text with which the rules begin, for all connections: until one
	// side of one of them sends it, everything passes. Empty is at once.
	From string

	ToServer Rule
	ToClient Rule
}

// Proxy listens on a loopback port and connects everybody who comes with one
// server. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu       sync.Mutex
	target   string
	faults   Faults
	refuse   bool
	conns    []*Conn // open, oldest first
	accepted int
	dropped  int
	held     int
}

// Start returns a proxy for the server at an address, host:port. It ends with
// the test.
func Start(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p, err := Listen(target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// Listen does the same for measurements, which end it with [Proxy.Close].
func Listen(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target}
	p.serving.Go(p.accept)
	return p, nil
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Refuse(true)
	p.Cut()
	p.serving.Wait()
}

// Addr returns the address for clients, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Redirect makes the server at another address the one that is connected with, and cuts what is connected.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
	p.Cut()
}

// Set makes the faults those of all connections, the ones to come included.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
	for _, c := range p.conns {
		c.Set(f)
	}
}

// begin ends the waiting of faults for their text, wherever no others were set.
func (p *Proxy) begin(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults == f {
		p.faults.From = ""
	}
	for _, c := range p.conns {
		c.begin(f)
	}
}

// Refuse makes the proxy end new connections at once, or take them again.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Cut ends all connections. What was under way is lost.
func (p *Proxy) Cut() {
	for _, c := range p.Conns() {
		c.Cut()
	}
}

// Conns returns the connections that are open, oldest first.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

// Accepted returns how many connections were taken so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Dropped returns how many bytes were swallowed so far.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// Held returns how many bytes are kept because of a [Hold].
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *Proxy) hold(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held += n
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	c := p.open(client)
	if c == nil {
		_ = client.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { c.pass(c.server, c.client, func(f Faults) Rule { return f.ToServer }) })
	both.Go(func() { c.pass(c.client, c.server, func(f Faults) Rule { return f.ToClient }) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(open *Conn) bool { return open == c })
}

// open connects a client with the server, or returns nil.
func (p *Proxy) open(client net.Conn) *Conn {
	p.mu.Lock()
	refuse, target := p.refuse, p.target
	p.mu.Unlock()
	if refuse {
		return nil
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.target != target { // since it was dialled
		_ = server.Close()
		return nil
	}
	c := &Conn{proxy: p, client: client, server: server, faults: p.faults, changed: make(chan struct{}), ended: make(chan struct{})}
	p.conns = append(p.conns, c)
	p.accepted++
	return c
}

func (p *Proxy) swallow(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped += n
}
