package ofrep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/listen"
)

// connection is a connection of an application. It knows whether a request is on it, so that a server that stops can end idle
// connections soon and let the others take their time.
type connection struct {
	net.Conn

	server   *Server
	progress progress
	watched  watched

	used   bool // a byte arrived; belongs to the serving goroutine, as do linger and http2
	linger bool
	http2  bool // it began with the preface of HTTP/2

	holder listen.Holder // who has it
	place  *listen.Place // among the connections that evaluate
	stream *listen.Place // among the event streams, if it has become one; belongs to the serving goroutine, as does taken
	taken  int64         // of the budget, for the answer that is being written
	body   []byte        // of that answer, if it is large and not shared
}

// preface begins what a client of HTTP/2 sends first (RFC 9113, section 3.4). For fasthttp it is a request with a wrong target.
var preface = []byte("PRI * HTTP/2.0\r\n")

// Read notes when a request begins to arrive. A connection on which nothing ever arrives ends without an answer,
// because there was no question.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.http2 = c.http2 || !c.used && bytes.HasPrefix(p[:n], preface)
		c.used = true
		c.begin()
	}
	if !c.used && errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, io.EOF
	}
	return n, err
}

// lastCall is how long a server that stops waits for one more request on an idle connection. Its answer says that the connection ends.
// Closing at once would lose the requests that are on their way, which is most of them when a client is busy.
const lastCall = 100 * time.Millisecond

// begin notes that a request has begun to arrive, unless one has. While the server stops, that ends the last call for it.
func (c *connection) begin() {
	if c.progress.busy() {
		return
	}
	c.progress.enter(arriving)
	if c.server.draining.Load() {
		_ = c.Conn.SetReadDeadline(time.Time{}) // if it fails, so does the next read
	}
}

// rest notes that the connection waits for a request. The server is looked at after that, because expectLast, once it has begun to stop, leaves
// a connection alone that does not wait yet.
func (c *connection) rest(as phase) {
	c.progress.enter(as)
	if c.server.draining.Load() {
		c.expectLast()
	}
}

// expectLast ends the wait for a request, if there is none on the connection, after the last call. One that begins meanwhile gets its time.
func (c *connection) expectLast() {
	if c.progress.busy() {
		return
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(lastCall)) // it fails on a connection that is closed
	if c.progress.busy() {
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
}

// Write notes that the client has to take something. What comes after that is what there was before: the rest of a request is still to arrive if
// the client was told to go on with it, or is given the answer to the request before.
func (c *connection) Write(p []byte) (int, error) {
	before := c.progress.phase()
	c.progress.enter(writing)
	n, err := c.Conn.Write(p)
	c.progress.enter(before)
	return n, err
}

// lingerTime is how long a refused request may go on arriving. Closing a connection with unread bytes would reset it, and the client
// might lose the answer that it was sent.
const lingerTime = 500 * time.Millisecond

// Close closes the connection. It belongs to the serving goroutine.
func (c *connection) Close() error {
	c.progress.enter(arriving) // so that what comes now ends in any case
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if c.linger && ok && half.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
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
		if c.used {
			c.begin()
		}
	case fasthttp.StateIdle:
		c.settled()
		c.rest(idle)
	default:
	}
}

// admit serves a new connection, or refuses it when too many are open.
func (s *Server) admit(nc net.Conn) {
	c := &connection{Conn: nc, server: s, holder: listen.HolderOf(nc)}
	var ok bool
	if c.place, ok = s.places.Take(c.holder, func() { s.displace(c) }); !ok {
		s.reject(c)
		return
	}
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	s.serving.Go(func() { s.serve(c) })
}

// displace closes a connection because another client gets its place.
func (s *Server) displace(c *connection) {
	s.refused.Inc()
	listen.Abort(c.Conn)
}

// serve answers the requests of a connection until it is closed. Errors concern the client, which knows them.
func (s *Server) serve(c *connection) {
	defer func() {
		if v := recover(); v != nil {
			s.reportPanic(v)
			c.Conn.Close()
		}
		c.settled()
		c.place.Release()
		if c.stream != nil {
			c.stream.Release()
		}
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	c.rest(opened)
	_ = s.http.ServeConn(c)
}

// maxRefusals is how many connections are told at the same time that there are too many. What comes beyond is closed without a word.
const maxRefusals = 64

// reject refuses a connection without waiting for its request. Telling it takes a moment, a handshake of TLS included, in which others are
// accepted.
func (s *Server) reject(c *connection) {
	s.refused.Inc()
	select {
	case s.refusing <- struct{}{}:
		s.serving.Go(func() {
			c.refuse()
			<-s.refusing
		})
	default:
		c.Conn.Close()
	}
}

// refuse says that there are too many connections, and closes this one.
func (c *connection) refuse() {
	defer c.Close()
	if err := c.Conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return
	}
	const status = fasthttp.StatusTooManyRequests
	body := appendFailure(nil, "", eval.ErrorGeneral, refusal(status), nil)
	_, err := fmt.Fprintf(c.Conn, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\nRetry-After: 1\r\n\r\n%s",
		status, fasthttp.StatusMessage(status), contentType, len(body), body)
	c.linger = err == nil
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// drain ends all connections: event streams at once, idle ones after the last call, the others when their request is answered, and all
// when the grace is over.
func (s *Server) drain() {
	close(s.ending)
	s.eachConnection((*connection).expectLast)
	timer := time.AfterFunc(s.grace, func() {
		s.eachConnection(func(c *connection) { c.Conn.Close() })
	})
	defer timer.Stop()
	s.serving.Wait()
}

func (s *Server) eachConnection(do func(*connection)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		do(c)
	}
}
