package flagsync

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Beats come once a second. After a longer silence the next ones may have waited
// in a socket that had stalled, and would call old news fresh: a barrier that is
// sent after that must succeed first. So may all of them in one that lets things
// through slowly, which the answers to pings show.
const (
	stalledAfter = 2500 * time.Millisecond
	stalledAsk   = 500 * time.Millisecond // within which the leader is asked; jittered
)

// beatQueue is how many beats wait while the target is busy, about a minute of
// them.
const beatQueue = 64

// arrival is a beat, and when it came.
type arrival struct {
	msg *nats.Msg
	at  time.Time
}

// hear takes note of a beat and of the moment: a target that is busy must not
// make it younger. Nothing waits for room, or later ones would come later.
func (s *following) hear(msg *nats.Msg) {
	select {
	case s.beats <- arrival{msg: msg, at: time.Now()}:
	default: // the next one says the same
	}
}

// beaten takes a beat. The highest head of our own epoch counts; a lower one is
// old news.
func (s *following) beaten(a arrival) {
	now := a.at
	b, err := decodeBeat(a.msg.Data)
	if err != nil {
		s.current.LastError = err
		return
	}
	if now.Sub(s.lastBeat()) > stalledAfter {
		s.stalled = now
		s.led(now)
	}
	if now.Sub(s.probe.answered) > lateAfter {
		s.stalled = now
	}
	s.current.LastBeat = now
	switch {
	case s.barriers.urgent:
	case s.current.LastConfirmed.Before(s.stalled):
		s.barriers.urgent = true
		s.barriers.ownAt = later(now, s.current.LastConfirmed.Add(stalledAfter)).Add(jitter(0, stalledAsk))
	default:
		s.barriers.ownAt = s.withoutBeat()
	}
	ours := s.chain.Head()
	switch {
	case ours.IsZero():
		s.head = max(s.head, b.Head)
	case b.Epoch != ours.Epoch:
		s.suspect(fmt.Errorf("a beat names epoch %s, ours is %s", b.Epoch.Short(), ours.Epoch.Short()))
	default:
		s.beatenByOurs(b, now)
	}
}

func (s *following) beatenByOurs(b beat, now time.Time) {
	if err := s.chain.Compare(b.position()); err != nil {
		s.suspect(err)
		return
	}
	if b.Head < s.head {
		return
	}
	s.head = b.Head
	if s.applied != b.position() {
		return // the fill that this starts does not make it younger
	}
	if !s.current.LastConfirmed.Before(s.stalled) {
		s.confirmed(now)
	}
	if b.StateDigest != nil && !s.takeover.running {
		s.compareState(b)
	}
}

// compareState looks whether the documents at a position are what the
// publisher's are.
func (s *following) compareState(b beat) {
	known := s.current.DifferentState != nil
	s.current.DifferentState = nil
	if ours := s.target.StateDigest(); ours != *b.StateDigest {
		s.current.DifferentState = fmt.Errorf("the documents at revision %d have state digest %s, the publisher's %s", b.Head, ours, *b.StateDigest)
		if !known {
			s.log.Error().Err(s.current.DifferentState).Msg("this follower does not hold the publisher's state")
		}
	}
}
