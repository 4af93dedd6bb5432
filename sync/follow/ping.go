package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	flagsync "github.com/flagside/flagside/sync"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	// pingInterval is how often the server is asked for a sign of life.
	pingInterval = 2 * time.Second
	// pingLimit is how long it may take to give one, at least.
	pingLimit = time.Second
	// lateAfter is how old the last ping may be that was answered before a heartbeat
	// came.
	lateAfter = pingInterval + pingLimit
)

// pingState is about the connection itself. The server at the other end answers
// a ping whatever the state of the cluster, at almost no cost, and after all that
// it sent before. So an answer shows two things: that the connection is alive,
// which nothing else may ever tell us when it is not, while a question to the leader may
// stay unanswered because no server leads; and that what comes after it was sent
// after the ping, however slowly a socket lets it through.
type pingState struct {
	running  bool
	sent     time.Time // the last one
	answered time.Time // when the last one was sent that was answered
}

// connectionState is about what happened to the connection.
type connectionState struct {
	doubted     time.Time // when messages may have been missed last; only later proof counts
	reconnected time.Time // when a reconnect was forced last
}

// nextPing returns when the server is asked again: regularly, and as soon as two
// heartbeats are missing, so that it is known what to do when the third is.
func (s *followLoop) nextPing() time.Time {
	sent := s.ping.sent
	missed := s.lastHeartbeat().Add(max(s.timing.HeartbeatTimeout-pingLimit, 0))
	if sent.Before(missed) {
		return earlier(sent.Add(pingInterval), later(missed, sent.Add(pingLimit)))
	}
	return sent.Add(pingInterval)
}

// schedulePing asks the server for a sign of life when it is due, and returns
// when that is.
func (s *followLoop) schedulePing(now time.Time) time.Time {
	if s.ping.running || !s.conn.Connected() {
		return time.Time{} // a new connection comes as an event
	}
	if at := s.nextPing(); now.Before(at) {
		return at
	}
	s.ping.running, s.ping.sent = true, now
	least := max(pingLimit, s.timing.HeartbeatTimeout-now.Sub(s.lastHeartbeat()))
	limit := jetstream.Jitter(least, least+pingLimit/4) // so that not everybody comes back at once
	s.work(func(ctx context.Context) func() {
		err := s.conn.Ping(ctx, limit)
		return func() { s.onPing(now, err) }
	})
	return time.Time{}
}

// onPing leaves a connection on which nothing came since it was probed, and one
// on which everything has come late for a while.
func (s *followLoop) onPing(sent time.Time, err error) {
	s.ping.running = false
	if s.doubted.After(sent) {
		return // it may have been of another connection
	}
	now := time.Now()
	switch {
	case err == nil:
		s.ping.answered = sent
	case !errors.Is(err, context.DeadlineExceeded):
	case !s.current.LastHeartbeat.After(sent):
		s.reconnect(fmt.Errorf("%w: the server shows no sign of life", flagsync.ErrUnreachable), now)
	case now.Sub(later(s.ping.answered, s.reconnected)) >= s.timing.Reconnect:
		s.reconnect(fmt.Errorf("%w: what the server sends comes late", flagsync.ErrUnreachable), now)
	}
}

// reconnect gives the connection up for another one, unless the last that was
// given up was replaced by one that has brought nothing yet: that is kept for a
// while.
func (s *followLoop) reconnect(why error, now time.Time) {
	worked := s.current.LastHeartbeat.After(s.reconnected) || s.current.LastConfirmed.After(s.reconnected)
	if !s.conn.Connected() || !worked && now.Sub(s.reconnected) < s.timing.Reconnect {
		return
	}
	s.reconnected = now
	s.log.Warn().Err(why).Msg("connection went silent, reconnecting")
	if err := s.conn.Reconnect(); err != nil {
		s.current.LastError = fmt.Errorf("connect again: %w", err)
	}
}
