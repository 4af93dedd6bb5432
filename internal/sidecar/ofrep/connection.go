package ofrep

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
)

// connection is a connection of an application. It knows whether a request is on it, so that a server that stops can close idle
// connections at once and let the others end.
type connection struct {
	net.Conn

	server *Server
	busy   atomic.Bool
	used   bool // a byte arrived; belongs to the serving goroutine, as does linger
	linger bool
}

// Read marks the connection as busy when bytes of a request arrive.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.used = true
		c.busy.Store(true)
	}
	return n, err
}

// lingerTime is how long a refused request may go on arriving. Closing a connection with unread bytes would reset it, and the client
// might lose the answer that it was sent.
const lingerTime = 500 * time.Millisecond

// Close closes the connection. It belongs to the serving goroutine.
func (c *connection) Close() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if c.linger && ok && half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn) // it ends with the deadline at the latest, and how it ends does not matter
	}
	return c.Conn.Close()
}

// connectionState follows what fasthttp does with a connection.
func connectionState(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*connection)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateActive:
		// The next request may have arrived together with the one before. A new connection is called active before anything arrived.
		c.busy.Store(c.used)
	case fasthttp.StateIdle:
		c.busy.Store(false)
		if c.server.draining.Load() {
			c.Conn.Close()
		}
	default:
	}
}

// admit serves a new connection, or refuses it when too many are open.
func (s *Server) admit(nc net.Conn) {
	c := &connection{Conn: nc, server: s}
	s.mu.Lock()
	full := len(s.open) >= s.capacity
	if !full {
		s.open[c] = struct{}{}
	}
	s.mu.Unlock()
	if full {
		s.turnAway(nc)
		return
	}
	s.serving.Go(func() { s.serve(c) })
}

// serve answers the requests of a connection until it is closed. Errors concern the client, which knows them.
func (s *Server) serve(c *connection) {
	defer func() {
		if v := recover(); v != nil {
			s.reportPanic(v)
			c.Conn.Close()
		}
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	_ = s.http.ServeConn(c)
}

// turnAway answers a connection that cannot be served, without waiting for its request.
func (s *Server) turnAway(c net.Conn) {
	s.refused.Inc()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return
	}
	const status = fasthttp.StatusTooManyRequests
	body := appendFailure(nil, "", eval.ErrorGeneral, refusal(status), nil)
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\nRetry-After: 1\r\n\r\n%s",
		status, fasthttp.StatusMessage(status), contentType, len(body), body)
}

// connections returns how many connections are open.
func (s *Server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// drain ends all connections: idle ones at once, the others when their request is answered or the grace is over.
func (s *Server) drain() {
	s.closeConnections(func(c *connection) bool { return !c.busy.Load() })
	timer := time.AfterFunc(s.grace, func() {
		s.closeConnections(func(*connection) bool { return true })
	})
	defer timer.Stop()
	s.serving.Wait()
}

func (s *Server) closeConnections(which func(*connection) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if which(c) {
			c.Conn.Close()
		}
	}
}
