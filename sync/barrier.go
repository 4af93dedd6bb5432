package flagsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	// barrierSpacing is the least time between two questions to the leader; a
	// slow answer stretches it.
	barrierSpacing = time.Millisecond

	// Pauses of a follower's own barriers while they fail.
	barrierRetryMin = 50 * time.Millisecond
	barrierRetryMax = 2 * time.Second
)

// errNoEntry is the answer about a log that is empty.
var errNoEntry = errors.New("the log has no entry yet")

// errBehind is the answer of a leader that does not know what is applied here.
var errBehind = errors.New("the leader does not have what is applied here")

// barrierState is about asking the leader where the log ends. One question is
// under way at a time, and whoever comes after it was sent waits for the next.
type barrierState struct {
	queued   []*waiter // wait for the next question
	asking   []*waiter // wait for the answer to the one under way
	answered []answeredBarrier
	running  bool
	nextAt   time.Time // no question before
	ownAt    time.Time // when the follower asks for itself
	urgent   bool      // beats do not put that off: nothing has proved us current
	retry    time.Duration
}

// answeredBarrier is what the leader named; it may not be applied yet.
type answeredBarrier struct {
	sent    time.Time
	here    uint64 // revision that was received here when the question was sent
	epoch   changelog.Epoch
	last    uint64
	waiters []*waiter
}

func (a answeredBarrier) abandoned() bool { return !slices.ContainsFunc(a.waiters, isWaiting) }

// all returns everybody who waits.
func (b *barrierState) all() []*waiter {
	all := slices.Concat(b.queued, b.asking)
	for _, a := range b.answered {
		all = append(all, a.waiters...)
	}
	return all
}

// scheduleBarrier asks the leader when somebody waits or it is time to, and
// returns when that is.
func (s *following) scheduleBarrier(now time.Time) time.Time {
	b := &s.barriers
	if b.running {
		return time.Time{}
	}
	at := b.ownAt
	if len(b.queued) > 0 || at.Before(b.nextAt) {
		at = b.nextAt
	}
	if now.Before(at) {
		return at
	}
	b.asking, b.queued, b.running = b.queued, nil, true
	ours, here := s.chain.Head().Epoch, s.received()
	s.work(func(ctx context.Context) func() {
		sent := time.Now()
		epoch, last, err := s.conn.end(ctx, s.stream, ours)
		return func() { s.answered(answeredBarrier{sent: sent, here: here, epoch: epoch, last: last}, err) }
	})
	return time.Time{}
}

// end asks the leader for the epoch and the revision a log ends with. ours is
// the epoch that the asker expects: only when the stream's metadata says
// otherwise, the last entry is read to see which is right.
func (c *Conn) end(ctx context.Context, stream string, ours changelog.Epoch) (changelog.Epoch, uint64, error) {
	info, err := c.info(ctx, stream)
	if err == nil {
		err = info.verifyLease()
	}
	if err != nil {
		return "", 0, err
	}
	last := info.State.LastSequence
	if last == 0 {
		return "", 0, errNoEntry
	}
	if epoch := changelog.Epoch(info.Config.Metadata[metadataEpoch]); epoch == ours && ours != "" {
		return epoch, last, nil
	}
	m, err := c.message(ctx, stream, last)
	if err != nil {
		return "", 0, err
	}
	r, err := m.record()
	return r.Epoch, last, err
}

// answered takes the answer to the question under way.
func (s *following) answered(a answeredBarrier, err error) {
	b := &s.barriers
	a.waiters, b.asking, b.running = b.asking, nil, false
	now := time.Now()
	b.nextAt = a.sent.Add(max(barrierSpacing, now.Sub(a.sent)))
	s.current.StreamMissing = hasCode(err, codeStreamNotFound)
	if errors.Is(err, errNoEntry) && a.here > 0 {
		s.suspect(err)
	}
	if err != nil {
		s.unanswered(a, err, now)
		return
	}
	b.urgent, b.retry = false, 0
	b.ownAt = s.nextOwnBarrier(now)
	// What the feed has brought since the question was sent is rightly missing in the answer.
	if a.last < a.here {
		err := fmt.Errorf("%w: it names revision %d as the last, %d is here", errBehind, a.last, a.here)
		s.finish(a.waiters, err)
		s.suspect(err)
		b.unproven(now)
		return
	}
	s.current.LastError = nil
	b.answered = append(slices.DeleteFunc(b.answered, answeredBarrier.abandoned), a)
	if s.received() == 0 {
		s.head = max(s.head, a.last)
	}
}

// unproven plans the next question after an answer that proves nothing, as when
// an epoch begins while it is under way.
func (b *barrierState) unproven(now time.Time) {
	b.urgent = true
	b.ownAt = now.Add(jitter(barrierRetryMax/2, barrierRetryMax))
}

// unanswered tells those who wait, and plans the next question.
func (s *following) unanswered(a answeredBarrier, err error, now time.Time) {
	b := &s.barriers
	s.finish(a.waiters, err)
	if s.ctx.Err() != nil {
		return
	}
	s.current.LastError = err
	b.urgent = true
	b.retry = min(max(2*b.retry, barrierRetryMin), barrierRetryMax)
	b.ownAt = now.Add(jitter(b.retry/2, b.retry))
	silent := now.Sub(s.lastBeat()) >= s.timing.beatTimeout
	if silent && errors.Is(err, nats.ErrTimeout) && s.conn.Connected() && now.Sub(s.reconnected) >= s.timing.reconnect {
		s.reconnected = now
		s.log.Warn().Err(err).Msg("neither beats nor answers come, connecting anew")
		if err := s.conn.nats.ForceReconnect(); err != nil {
			s.current.LastError = fmt.Errorf("connect anew: %w", err)
		}
	}
}

// nextOwnBarrier returns when to ask for ourselves after an answer at now: once
// no beat has come for a while, then again and again.
func (s *following) nextOwnBarrier(now time.Time) time.Time {
	if now.Sub(s.lastBeat()) < s.timing.beatTimeout {
		return s.withoutBeat()
	}
	return now.Add(jitter(s.timing.ownBarrier*8/10, s.timing.ownBarrier*12/10))
}

// withoutBeat returns when the silence after the last beat is too long. It
// differs between followers, so that they do not ask all at once.
func (s *following) withoutBeat() time.Time {
	return s.lastBeat().Add(jitter(s.timing.beatTimeout, s.timing.beatTimeout*13/10))
}

// lastBeat returns when the last beat came, or when the follower began to
// listen.
func (s *following) lastBeat() time.Time {
	if s.current.LastBeat.IsZero() {
		return s.started
	}
	return s.current.LastBeat
}

// resolveBarriers answers those who wait for what is applied now.
func (s *following) resolveBarriers() {
	b := &s.barriers
	if s.takeover.running {
		return
	}
	b.answered = slices.DeleteFunc(b.answered, func(a answeredBarrier) bool {
		if a.epoch == s.chain.Head().Epoch {
			s.head = max(s.head, a.last)
		}
		obstacle := s.obstacle()
		pending := s.applied.Revision < a.last || s.fill.verify // more has to come, or what is here to be looked at
		switch {
		case pending && obstacle != nil:
			s.finish(a.waiters, obstacle)
			b.urgent = true // once the obstacle is gone, beats alone would never call the state complete
		case pending:
			return false
		case s.applied.Epoch != a.epoch:
			err := fmt.Errorf("the log is in epoch %s, what is applied here in %s", a.epoch.Short(), s.applied.Epoch.Short())
			s.finish(a.waiters, err)
			s.suspect(err)
			b.unproven(time.Now())
		default:
			s.confirmed(a.sent)
			s.synced()
			s.finish(a.waiters, nil)
		}
		return true
	})
}

// refute drops answers that name more than what the leader said afterwards: the
// log was replaced, and what they wait for never comes.
func (s *following) refute(last uint64, asked time.Time) {
	b := &s.barriers
	b.answered = slices.DeleteFunc(b.answered, func(a answeredBarrier) bool {
		if a.last <= last || a.sent.After(asked) {
			return false
		}
		s.finish(a.waiters, fmt.Errorf("the log ended with revision %d and now ends with %d", a.last, last))
		b.urgent = true
		return true
	})
}

// confirmed notes that everything that existed at a moment is applied.
func (s *following) confirmed(at time.Time) {
	if at.After(s.current.LastConfirmed) {
		s.current.LastConfirmed = at
	}
}

func (s *following) synced() {
	if s.current.Synced {
		return
	}
	s.current.Synced = true
	s.target.Synced()
	s.log.Info().Uint64("revision", s.applied.Revision).Str("epoch", s.applied.Epoch.Short()).Msg("the state is complete")
}
