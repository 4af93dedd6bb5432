package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
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

// feedGrace is how long the feed may take to bring what a heartbeat or a barrier
// names: both overtake it, and everybody who hears them would read at once what
// is on its way to all. A caller that waits for it shortens that.
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
	doubts   uint64 // how often that was asked for
	outdated bool   // it was asked for again since the read was sent
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
	f.at, f.awaited = now.Add(jetstream.Jitter(f.retry/2, f.retry)), 0
}

// awaitFeed sees to it that a message that is known to exist is read unless the
// feed brings what it is soon.
func (s *followLoop) awaitFeed(now time.Time) {
	f := &s.fill
	if f.awaited > 0 && s.judged >= f.awaited {
		f.at, f.awaited = time.Time{}, 0
	}
	grace := feedGrace
	if s.isAwaited() {
		grace = feedGraceWaited
	}
	switch {
	case s.end <= s.judged:
	case f.at.IsZero():
		f.at, f.awaited = now.Add(jetstream.Jitter(grace/2, grace)), s.end
	case f.awaited > 0 && f.at.Sub(now) > grace:
		f.at = now.Add(jetstream.Jitter(grace/2, grace))
	}
}

// isAwaited reports whether a caller waits for more than is applied.
func (s *followLoop) isAwaited() bool {
	return len(s.waiting) > 0 || slices.ContainsFunc(s.barriers.answered, func(a answeredBarrier) bool { return !a.abandoned() })
}

// scheduleFill starts a read when it is due, and returns when the next is.
func (s *followLoop) scheduleFill(now time.Time) time.Time {
	f := &s.fill
	if f.running || s.blocked() || s.divergence.active() {
		return time.Time{}
	}
	s.awaitFeed(now)
	if f.at.IsZero() || now.Before(f.at) {
		return f.at
	}
	if s.findSnapshot() {
		return time.Time{}
	}
	f.at, f.awaited, f.running = time.Time{}, 0, true
	f.patience = max(f.patience, fillPatience)
	r := jetstream.BatchRequest{Sequence: s.judged + 1, Batch: jetstream.BatchEntries, MaxBytes: f.size.bytes(), Patience: f.patience}
	if f.verify {
		r.Sequence = s.received()
		if s.judged > s.received() { // what is between was looked at before
			r.Batch = 1
		}
	}
	doubts := f.doubts
	s.work(func(ctx context.Context) func() {
		var messages []jetstream.Message
		err := s.entries.run(ctx, func(ctx context.Context) (err error) {
			messages, err = s.conn.Batch(ctx, s.stream, r)
			return err
		})
		took := time.Since(now)
		return func() {
			f.outdated = f.doubts != doubts
			s.onFill(messages, took, err)
		}
	})
	return time.Time{}
}

// onFill takes what a read brought and decides whether to go on.
func (s *followLoop) onFill(messages []jetstream.Message, took time.Duration, err error) {
	f := &s.fill
	f.running = false
	full := f.size.isFull(messages)
	f.size.adapt(took, err)
	if s.blocked() {
		return
	}
	before, verified := s.judged, f.verify
	full = full || verified && before > s.received()
	if !s.takeFilled(messages) {
		return
	}
	now := time.Now()
	progress := s.judged > before || verified && !f.verify
	more := f.verify || s.end > s.judged
	if !s.settleFilled(more || full) {
		return
	}
	switch {
	case err != nil && !errors.Is(err, jetstream.ErrNoMessage):
		s.current.LastError = err
		f.failed(now, err)
		f.at = later(f.at, s.entries.retryAt())
	case progress && (more || full):
		s.current.LastError, s.current.Hole = nil, nil
		f.restart(now.Add(backpressure(took, quickRead, 1)))
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

// takeFilled judges the messages of a read in order, and reports whether nothing
// speaks against the log.
func (s *followLoop) takeFilled(messages []jetstream.Message) bool {
	for _, m := range messages {
		switch {
		case s.fill.verify && m.Sequence == s.received() && !s.fill.outdated:
			if !s.verifyHeld(m) {
				return false
			}
		case m.Sequence <= s.judged:
		case m.Sequence > s.judged+1 && !s.bridges(m):
			s.end = max(s.end, m.Sequence)
			return true // one between is missing here; the next read begins with it
		default:
			if err := s.judgeMessage(m); err != nil {
				s.checkDivergence(err)
				return false
			}
		}
	}
	return true
}

// verifyHeld compares the entry that the log has where ours stands.
func (s *followLoop) verifyHeld(m jetstream.Message) bool {
	if digest := changelog.Sum(m.Data); digest != s.judge.Head().Digest {
		s.checkDivergence(fmt.Errorf("revision %d is %s in the log and %s here: %w",
			m.Sequence, digest, s.judge.Head().Digest, changelog.ErrDifferentHistory))
		return false
	}
	s.fill.verify = false
	if m.Sequence >= s.seen.last.sequence {
		s.seen.last = seenMessage{m.Sequence, m.StoredAt}
	}
	return true
}

// bridges reports whether a message shows by what it continues that nothing
// between it and what was received is an entry.
func (s *followLoop) bridges(m jetstream.Message) bool {
	r, err := s.conn.Keyring().OpenEntry(s.environment, m.Entry(s.environment))
	return err == nil && r.Prev == s.judge.Head().Link() && !r.ReplacesEpoch()
}

// judgeMessage judges the next message of the stream. An error is what it says
// against the log.
func (s *followLoop) judgeMessage(m jetstream.Message) error {
	verdict, r := s.judge.Offer(m.Entry(s.environment))
	switch verdict {
	case changelog.Noise, changelog.Candidate, changelog.Past:
		s.judged, s.end = m.Sequence, max(s.end, m.Sequence)
		s.seen.last = seenMessage{m.Sequence, m.StoredAt}
		return nil
	case changelog.Ahead:
		return s.missingBefore(m, r)
	default:
		s.unproved = false
		s.accept(s.judge.Settle(-1))
		return s.contradiction(verdict, m, r)
	}
}

// missingBefore is called when the stream shows a signed entry and not the one
// that it continues. That may have been taken for noise, if its own signature was
// damaged, or is of a key that only a later entry lists: what follows is read once
// more, and this entry proves it.
func (s *followLoop) missingBefore(m jetstream.Message, r changelog.Record) error {
	s.unproved = false
	s.accept(s.judge.Settle(-1))
	at := s.judge.Head().Link()
	if (s.seen.reread == nil || *s.seen.reread != at) && s.judged > at.Revision {
		s.seen.reread = &at
		s.judged = at.Revision
		s.keep(m, r)
		return nil
	}
	return fmt.Errorf("%w: revision %d continues revision %d, which is not there", jetstream.ErrHole, r.Revision, r.Prev.Revision)
}

// settleFilled proves what a read has brought. What is not proved yet waits while
// more is to be read. It reports whether reading may go on.
func (s *followLoop) settleFilled(more bool) bool {
	if more {
		s.accept(s.judge.SettleSoFar())
		s.unproved = s.judge.Pending()
		return true
	}
	s.unproved = false
	s.accept(s.judge.Settle(-1))
	s.acceptKept()
	s.noteForeignEnd()
	if err := s.unsupported(); err != nil {
		s.checkDivergence(err)
		return false
	}
	return true
}

// stoodStill tries again: a replica may be behind. If that lasts, the leader
// decides.
func (s *followLoop) stoodStill(now time.Time) {
	f := &s.fill
	if f.still.IsZero() {
		f.still = now
	}
	if now.Sub(f.still) < s.timing.AskLeader {
		f.again(now)
		return
	}
	s.checkDivergence(fmt.Errorf("message %d was not delivered, and message %d exists", s.judged+1, s.end))
}
