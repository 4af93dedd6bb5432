package flagsync

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// probeLimit is how long the server may take to show that the connection is
// alive.
const probeLimit = time.Second

// probeState is about a connection on which no beats come. A question to the
// leader may stay unanswered because nobody leads; the server at the other end
// answers a ping whatever the state of the cluster, at almost no cost. When it
// does not, the connection is dead, which nobody may ever tell us.
type probeState struct {
	at      time.Time // of the next one
	running bool
}

// postponeProbe is called when something has come on the connection. A connection
// that is dead is left when the third beat in a row is missing; followers differ
// a little, so that they do not all come back at once.
func (s *following) postponeProbe(now time.Time) {
	silence := max(s.timing.beatTimeout-probeLimit, s.timing.beatTimeout/2)
	s.probe.at = now.Add(jitter(silence, silence*23/20))
}

// scheduleProbe asks the server for a sign of life when it is due, and returns
// when that is.
func (s *following) scheduleProbe(now time.Time) time.Time {
	p := &s.probe
	if p.running || !s.conn.Connected() {
		return time.Time{} // a new connection comes as an event
	}
	if now.Before(p.at) {
		return p.at
	}
	p.running = true
	s.work(func(ctx context.Context) func() {
		err := s.conn.ping(ctx)
		return func() { s.probed(now, err) }
	})
	return time.Time{}
}

// probed leaves a connection on which nothing came since it was probed.
func (s *following) probed(sent time.Time, err error) {
	s.probe.running = false
	now := time.Now()
	s.postponeProbe(now)
	if errors.Is(err, context.DeadlineExceeded) && !s.doubted.After(sent) && !s.current.LastBeat.After(sent) {
		s.connectAnew(fmt.Errorf("%w: the server shows no sign of life", ErrUnreachable), now)
	}
}

// ping returns nil once the server at the other end of the connection has
// answered.
func (c *Conn) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return c.nats.FlushWithContext(ctx)
}

// connectAnew gives the connection up for another one, unless the last that was
// given up was replaced by one that has brought nothing yet: that is kept for a
// while.
func (s *following) connectAnew(why error, now time.Time) {
	worked := s.current.LastBeat.After(s.reconnected) || s.current.LastConfirmed.After(s.reconnected)
	if !s.conn.Connected() || !worked && now.Sub(s.reconnected) < s.timing.reconnect {
		return
	}
	s.reconnected = now
	s.log.Warn().Err(why).Msg("nothing useful comes on the connection, connecting anew")
	if err := s.conn.nats.ForceReconnect(); err != nil {
		s.current.LastError = fmt.Errorf("connect anew: %w", err)
	}
}
