package flagsync

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// probeInterval is how often the server is asked for a sign of life.
	probeInterval = 2 * time.Second
	// probeLimit is how long it may take to give one, at least.
	probeLimit = time.Second
	// lateAfter is how old the last ping may be that was answered before a beat
	// came.
	lateAfter = probeInterval + probeLimit
)

// probeState is about the connection itself. The server at the other end answers
// a ping whatever the state of the cluster, at almost no cost, and after all that
// it sent before. So an answer shows two things: that the connection is alive,
// which nobody may ever tell us when it is not, while a question to the leader may
// stay unanswered because nobody leads; and that what comes after it was sent
// after the ping, however slowly a socket lets it through.
type probeState struct {
	running  bool
	sent     time.Time // the last one
	answered time.Time // when the last one was sent that was answered
}

// nextProbe returns when the server is asked again: regularly, and as soon as two
// beats are missing, so that it is known what to do when the third is.
func (s *following) nextProbe() time.Time {
	sent := s.probe.sent
	missed := s.lastBeat().Add(max(s.timing.HeartbeatTimeout-probeLimit, 0))
	if sent.Before(missed) {
		return earlier(sent.Add(probeInterval), later(missed, sent.Add(probeLimit)))
	}
	return sent.Add(probeInterval)
}

// scheduleProbe asks the server for a sign of life when it is due, and returns
// when that is.
func (s *following) scheduleProbe(now time.Time) time.Time {
	if s.probe.running || !s.conn.Connected() {
		return time.Time{} // a new connection comes as an event
	}
	if at := s.nextProbe(); now.Before(at) {
		return at
	}
	s.probe.running, s.probe.sent = true, now
	least := max(probeLimit, s.timing.HeartbeatTimeout-now.Sub(s.lastBeat()))
	limit := jitter(least, least+probeLimit/4) // so that not everybody comes back at once
	s.work(func(ctx context.Context) func() {
		err := s.conn.ping(ctx, limit)
		return func() { s.probed(now, err) }
	})
	return time.Time{}
}

// probed leaves a connection on which nothing came since it was probed, and one
// on which everything has come late for a while.
func (s *following) probed(sent time.Time, err error) {
	s.probe.running = false
	if s.doubted.After(sent) {
		return // it may have been of another connection
	}
	now := time.Now()
	switch {
	case err == nil:
		s.probe.answered = sent
	case !errors.Is(err, context.DeadlineExceeded):
	case !s.current.LastBeat.After(sent):
		s.connectAnew(fmt.Errorf("%w: the server shows no sign of life", ErrUnreachable), now)
	case now.Sub(later(s.probe.answered, s.reconnected)) >= s.timing.Reconnect:
		s.connectAnew(fmt.Errorf("%w: what the server sends comes late", ErrUnreachable), now)
	}
}

// connectAnew gives the connection up for another one, unless the last that was
// given up was replaced by one that has brought nothing yet: that is kept for a
// while.
func (s *following) connectAnew(why error, now time.Time) {
	worked := s.current.LastBeat.After(s.reconnected) || s.current.LastConfirmed.After(s.reconnected)
	if !s.conn.Connected() || !worked && now.Sub(s.reconnected) < s.timing.Reconnect {
		return
	}
	s.reconnected = now
	s.log.Warn().Err(why).Msg("nothing useful comes on the connection, connecting again")
	if err := s.conn.connectAnew(); err != nil {
		s.current.LastError = fmt.Errorf("connect again: %w", err)
	}
}
