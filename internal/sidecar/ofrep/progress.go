package ofrep

import (
	"context"
	"sync/atomic"
	"time"
)

// phase is what a connection waits for.
type phase uint64

// The phases of a connection.
const (
	opened    phase = iota // a first request
	idle                   // another request, or none
	arriving               // the rest of a request
	answering              // an answer; the resolver bounds how long that takes
	writing                // the client, to take the answer
	phaseBits = 3
)

// How long a connection may wait. The times are looked at once a second, so it may wait for two seconds more.
const (
	readTimeout  = 5 * time.Second // for a whole request, from its first byte
	writeTimeout = 5 * time.Second
	idleTimeout  = 2 * time.Minute
)

// patience returns how long a phase may last; 0 is without an end.
func (p phase) patience() time.Duration {
	switch p {
	case opened, arriving:
		return readTimeout
	case idle:
		return idleTimeout
	case writing:
		return writeTimeout
	default:
		return 0
	}
}

// progress is the phase of a connection, and how many there were before. To note it is all that a request does for timeouts: deadlines, which the
// runtime keeps in order, would cost it more than its evaluation. It is written by the goroutine that serves the connection, and read by others.
type progress struct{ noted atomic.Uint64 }

func (p *progress) enter(to phase) {
	p.noted.Store(p.noted.Load()>>phaseBits<<phaseBits + 1<<phaseBits | uint64(to))
}

func phaseOf(noted uint64) phase { return phase(noted & (1<<phaseBits - 1)) }

// phase returns what is waited for now.
func (p *progress) phase() phase { return phaseOf(p.noted.Load()) }

// busy reports whether a request is on the connection.
func (p *progress) busy() bool { now := p.phase(); return now != opened && now != idle }

// watched is what is known of the progress of a connection from looking at it. Server.mu guards it.
type watched struct {
	noted uint64
	since time.Time
}

// watch ends what connections wait for in vain, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.eachConnection(func(c *connection) { c.look(now) })
		}
	}
}

// look ends what the connection waits for, if it has waited for long enough.
func (c *connection) look(now time.Time) {
	noted := c.progress.noted.Load()
	if noted != c.watched.noted || c.watched.since.IsZero() {
		c.watched = watched{noted, now}
		c.place.Use()
		return
	}
	waits, waited := phaseOf(noted), now.Sub(c.watched.since)
	patience := waits.patience()
	if patience == 0 || waited < patience {
		return
	}
	if waits == writing || waited >= patience+readingEnds {
		_ = c.Conn.SetWriteDeadline(past) // it fails on a connection that is closed
	}
	if waits != writing {
		_ = c.Conn.SetReadDeadline(past)
	}
	if c.progress.noted.Load() != noted && !c.server.draining.Load() { // it came at the last moment; a last call is made after this
		_ = c.Conn.SetDeadline(time.Time{})
	}
}

// readingEnds is how long a read may take to end when it has to. One that does not end writes: TLS answers an update of keys while it reads, which a
// client may not take.
const readingEnds = 2 * time.Second

// past is a deadline that is over.
var past = time.Unix(1, 0)
