package flagsync_test

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands between a client and a server and can cut what goes through, or
// swallow it.
type proxy struct {
	listener net.Listener
	target   string

	mu        sync.Mutex
	swallow   bool
	conns     map[net.Conn]struct{}
	connected int // connections that were accepted
	lost      int // bytes that were swallowed
}

func newProxy(tb testing.TB, url string) *proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{listener: listener, target: strings.TrimPrefix(url, "nats://"), conns: make(map[net.Conn]struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		serving.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	p.connected++
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

// pass copies from one side to the other. What is swallowed never arrives.
func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32*1024)
	dead := false
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		dead = dead || p.swallow
		if dead {
			p.lost += n
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		if dead { // for good: a stream of bytes with a hole is no connection
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// blackHole swallows everything on the connections there are.
func (p *proxy) blackHole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = on
}

func (p *proxy) swallowed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *proxy) accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connected
}
