package flagsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Pauses between the reads of a fill that makes no progress: short while a
// replica is behind, long when no answer came, so that servers that have more to
// do than they can are not given the same work again.
const (
	fillRetryMin   = 5 * time.Millisecond
	fillRetryMax   = time.Second
	fillRetrySlow  = 250 * time.Millisecond
	fillPatience   = 2 * time.Second // for the next message of an answer
	fillPatienceTo = 8 * time.Second // as it grows while none comes
)

// feedGrace is how long the feed may take to bring what a beat or a barrier
// names: both overtake it, and everybody who hears them would read at once what
// is on its way to all. Somebody who waits for it shortens that.
const (
	feedGrace       = 250 * time.Millisecond
	feedGraceWaited = 10 * time.Millisecond
)

// fillState is about reading what the feed did not bring.
type fillState struct {
	at      time.Time // of the next read; zero is none
	running bool
	// awaited is a revision that the feed may still bring before at; 0 when
	// the read does not depend on it.
	awaited uint64
	// verify makes the read begin with the last entry we have, to see whether
	// it is still the same.
	verify   bool
	retry    time.Duration
	size     readSize
	patience time.Duration // how long the next read waits for a message
	// still is since when nothing has come although there must be more. Whatever
	// comes ends it.
	still time.Time
}

// active reports whether a read is under way or due, whatever the feed brings.
func (f *fillState) active() bool { return f.running || !f.at.IsZero() && f.awaited == 0 }

func (f *fillState) restart(now time.Time) {
	f.at, f.retry, f.awaited = now, 0, 0
}

func (f *fillState) again(now time.Time) {
	f.retry = min(max(2*f.retry, fillRetryMin), fillRetryMax)
	f.at, f.awaited = now.Add(jitter(f.retry/2, f.retry)), 0
}

// awaitFeed sees to it that a head that is known to exist is read unless the
// feed brings it soon.
func (s *following) awaitFeed(now time.Time) {
	f := &s.fill
	if f.awaited > 0 && s.received() >= f.awaited {
		f.at, f.awaited = time.Time{}, 0
	}
	grace := feedGrace
	if s.isAwaited() {
		grace = feedGraceWaited
	}
	switch {
	case s.head <= s.received():
	case f.at.IsZero():
		f.at, f.awaited = now.Add(jitter(grace/2, grace)), s.head
	case f.awaited > 0 && f.at.Sub(now) > grace:
		f.at = now.Add(jitter(grace/2, grace))
	}
}

// isAwaited reports whether somebody waits for more than is applied.
func (s *following) isAwaited() bool {
	return len(s.waiting) > 0 || slices.ContainsFunc(s.barriers.answered, func(a answeredBarrier) bool { return !a.abandoned() })
}

// scheduleFill starts a read when it is due, and returns when the next is.
func (s *following) scheduleFill(now time.Time) time.Time {
	f := &s.fill
	if f.running || s.blocked() || s.inquiry.active() {
		return time.Time{}
	}
	s.awaitFeed(now)
	if f.at.IsZero() || now.Before(f.at) {
		return f.at
	}
	if s.seek() {
		return time.Time{}
	}
	f.at, f.awaited, f.running = time.Time{}, 0, true
	f.patience = max(f.patience, fillPatience)
	r := batchRequest{Sequence: s.received() + 1, Batch: batchEntries, MaxBytes: f.size.bytes(), patience: f.patience}
	if f.verify {
		r.Sequence--
	}
	s.work(func(ctx context.Context) func() {
		var messages []storedMessage
		err := s.entries.run(ctx, func(ctx context.Context) (err error) {
			messages, err = s.conn.batch(ctx, s.stream, r)
			return err
		})
		took := time.Since(now)
		return func() { s.filled(messages, took, err) }
	})
	return time.Time{}
}

// filled takes what a read brought and decides whether to go on.
func (s *following) filled(messages []storedMessage, took time.Duration, err error) {
	f := &s.fill
	f.running = false
	full := f.size.isFull(messages)
	f.size.adapt(took, err)
	if s.blocked() {
		return
	}
	before, verified := s.received(), f.verify
	if !s.takeFilled(messages) {
		return
	}
	now := time.Now()
	progress := s.received() > before || verified && !f.verify
	more := f.verify || s.head > s.received()
	switch {
	case err != nil && !errors.Is(err, errNoMessage):
		s.current.LastError = err
		f.failed(now, err)
		f.at = later(f.at, s.entries.retryAt())
	case progress && (more || full):
		s.current.LastError, s.current.Hole = nil, nil
		f.restart(now.Add(easeOff(took, quickRead, 1)))
		f.patience = 0
	case more:
		s.stoodStill(now)
	default:
		f.at, f.awaited, f.retry, f.patience, f.still = time.Time{}, 0, 0, 0, time.Time{}
	}
}

// failed tries again later: much later, and with more patience, if an answer did
// not come in time.
func (f *fillState) failed(now time.Time, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		f.retry = max(f.retry, fillRetrySlow)
		f.patience = min(2*f.patience, fillPatienceTo)
	}
	f.again(now)
}

// takeFilled takes the entries of a read in order, and reports whether all of
// them fit.
func (s *following) takeFilled(messages []storedMessage) bool {
	for _, m := range messages {
		received := s.received()
		switch {
		case m.Sequence > received+1:
			s.keep(m) // the one between is missing here; the next read begins with it
		case m.Sequence == received+1 && !s.fill.verify:
			if !s.receive(m) {
				return false
			}
		case m.Sequence == received && s.fill.verify:
			if digest := changelog.Sum(m.Data); digest != s.chain.Head().Digest {
				s.suspect(fmt.Errorf("revision %d is %s in the log and %s here: %w",
					received, digest, s.chain.Head().Digest, changelog.ErrDifferentHistory))
				return false
			}
			s.fill.verify = false
			s.newest = takenEntry{s.chain.Head(), m.Taken}
		}
	}
	return true
}

// stoodStill tries again: a replica may be behind. If that lasts, the leader
// decides.
func (s *following) stoodStill(now time.Time) {
	f := &s.fill
	if f.still.IsZero() {
		f.still = now
	}
	if now.Sub(f.still) < s.timing.askLeader {
		f.again(now)
		return
	}
	s.suspect(fmt.Errorf("revision %d does not come although %d exists", s.received()+1, max(s.head, s.received())))
}
