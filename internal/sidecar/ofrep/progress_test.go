package ofrep

import (
	"net"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/listen"
)

// surprised is a connection on which something happens in the moment before a deadline is set.
type surprised struct {
	net.Conn

	happens     func()
	read, write time.Time
}

func (s *surprised) happen() {
	if do := s.happens; do != nil {
		s.happens = nil
		do()
	}
}

func (s *surprised) SetReadDeadline(t time.Time) error {
	s.happen()
	s.read = t
	return nil
}

func (s *surprised) SetWriteDeadline(t time.Time) error {
	s.happen()
	s.write = t
	return nil
}

func (s *surprised) SetDeadline(t time.Time) error {
	s.read, s.write = t, t
	return nil
}

// A request that begins, or an answer that is taken, while the connection is being ended is not ended.
func TestWhatComesAtTheLastMomentGetsItsTime(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	for name, c := range map[string]struct {
		waits  phase
		comes  func(*connection)
		ending func(*connection)
		ends   bool
	}{
		"a request after a long time": {idle, (*connection).begin, func(c *connection) { c.look(begun.Add(idleTimeout)) }, false},
		"an answer that is taken":     {writing, func(c *connection) { c.rest(idle) }, func(c *connection) { c.look(begun.Add(writeTimeout)) }, false},
		"nothing":                     {idle, func(*connection) {}, func(c *connection) { c.look(begun.Add(idleTimeout)) }, true},
		"a last request": {idle, (*connection).begin, func(c *connection) {
			c.server.draining.Store(true)
			c.expectLast()
		}, false},
		"no last request": {idle, func(*connection) {}, func(c *connection) {
			c.server.draining.Store(true)
			c.expectLast()
		}, true},
	} {
		network := new(surprised)
		conn := &connection{Conn: network, server: new(Server)}
		conn.place, _ = listen.NewPlaces(1, 0).Take(listen.Holder{}, func() {})
		conn.progress.enter(c.waits)
		conn.look(begun)
		network.happens = func() { c.comes(conn) }
		c.ending(conn)
		if ends := !network.read.IsZero() || !network.write.IsZero(); ends != c.ends {
			t.Errorf("%s: it may be read until %v and written until %v", name, network.read, network.write)
		}
	}
}
