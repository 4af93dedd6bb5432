package flagsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Pauses between the reads of a fill that makes no progress.
const (
	fillRetryMin = 5 * time.Millisecond
	fillRetryMax = time.Second
)

// fillState is about reading what the feed did not bring.
type fillState struct {
	at      time.Time // of the next read; zero is none
	running bool
	// verify makes the read begin with the last entry we have, to see whether
	// it is still the same.
	verify bool
	retry  time.Duration
	// still is since when nothing has come although there must be more. Whatever
	// comes ends it.
	still time.Time
}

// active reports whether a read is under way or due.
func (f *fillState) active() bool { return f.running || !f.at.IsZero() }

func (f *fillState) restart(now time.Time) {
	f.at, f.retry = now, 0
}

func (f *fillState) again(now time.Time) {
	f.retry = min(max(2*f.retry, fillRetryMin), fillRetryMax)
	f.at = now.Add(jitter(f.retry/2, f.retry))
}

// scheduleFill starts a read when it is due, and returns when the next is.
func (s *following) scheduleFill(now time.Time) time.Time {
	f := &s.fill
	if f.running || s.blocked() || s.inquiry.active() {
		return time.Time{}
	}
	if f.at.IsZero() && s.head > s.received() {
		f.restart(now)
	}
	if f.at.IsZero() || now.Before(f.at) {
		return f.at
	}
	if s.seek() {
		return time.Time{}
	}
	f.at, f.running = time.Time{}, true
	from := s.received() + 1
	if f.verify {
		from--
	}
	s.work(func(ctx context.Context) func() {
		messages, err := s.conn.batch(ctx, s.stream, batchRequest{Sequence: from, Batch: batchEntries, MaxBytes: batchBytes})
		return func() { s.filled(messages, err) }
	})
	return time.Time{}
}

// filled takes what a read brought and decides whether to go on.
func (s *following) filled(messages []storedMessage, err error) {
	f := &s.fill
	f.running = false
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
		f.again(now)
	case progress && (more || len(messages) > 1):
		s.current.LastError, s.current.Hole = nil, nil
		f.restart(now)
	case more:
		s.stoodStill(now)
	default:
		f.at, f.retry, f.still = time.Time{}, 0, time.Time{}
	}
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
