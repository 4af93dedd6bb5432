package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/internal/jetstream"

	flagsync "github.com/flagside/flagside/sync"
)

const (
	// barrierSpacing is the least time between two questions to the leader,
	// unless the options say otherwise.
	barrierSpacing = time.Millisecond
	// slowAnswer is what an answer may take before the leader counts as busy.
	slowAnswer = 50 * time.Millisecond
	// unprovenPause is how long an answer that proves nothing puts off the
	// next question, at most.
	unprovenPause = 2 * time.Second
	// partPatience is how long a log may end within a transaction: a leader that is
	// asked while it stores one may name an entry in the middle.
	partPatience = 2 * time.Second
	// partAsk is the pause before it is asked again whether the rest is there.
	partAsk = 50 * time.Millisecond
)

// errNoEntry is the answer about a log that is empty.
var errNoEntry = errors.New("the log has no entry yet")

// errBehind is the answer of a leader that does not know what is applied here.
var errBehind = errors.New("the leader does not have what is applied here")

// errNoTransaction is the answer while the log ends with a part of a
// transaction, for longer than it takes to store the rest, or has none.
var errNoTransaction = errors.New("the log ends without a whole transaction")

// errNothingSigned is the answer while a log has messages, and no entry among them.
var errNothingSigned = errors.New("no publisher of this installation has signed an entry of the log yet: is it the right trust file?")

// errRetiredKey is the answer while the log ends with what a retired key signed: it
// may be noise, or what comes next proves it.
var errRetiredKey = errors.New("the log ends with messages that a retired key signed")

// errSuperseded is the answer to a question that another one took the place of.
var errSuperseded = fmt.Errorf("%w: the log had no leader when it was asked for, ask again", flagsync.ErrUnreachable)

// barrierState is about asking the leader where the log ends. One question is
// under way at a time, and calls that come after it was sent wait for the next.
type barrierState struct {
	asking   *barrierBatch // waits for the answer to the question under way; nil is none
	answered []answeredBarrier
	running  bool
	nextAt   time.Time // no question before
	ownAt    time.Time // when the follower asks for itself
	urgent   bool      // heartbeats do not put that off: nothing has proved us current
	partAt   time.Time // when the log was found to end within a transaction; zero while it does not

	giveUp   context.CancelFunc // ends the question under way
	giveUpAt time.Time          // zero while there is no reason to
	outdated bool               // it was given up
}

// answeredBarrier is what the leader named; it may not be applied yet.
type answeredBarrier struct {
	sent  time.Time
	here  uint64 // sequence up to which everything was judged here when the question was sent
	end   logEnd
	batch *barrierBatch // nil when none waits
}

// leaderEnd is what the leader says about the newest message of a log's stream.
type logEnd struct {
	last     uint64
	storedAt time.Time // when the stream took it
}

func (a answeredBarrier) abandoned() bool { return a.batch.abandoned() }

// Barrier returns nil once everything that was committed before the call is
// applied: it asks the leader of the stream, which must have heard of a
// majority of its servers within two seconds, and waits until what it names is
// applied. Calls share a question, but none that was sent before they came; one
// question is under way at a time. It fails when the leader cannot be asked
// ([ErrUnreachable]), when its answer proves nothing, when ctx ends, and at once
// while the leader is known not to answer.
func (f *Follower) Barrier(ctx context.Context) error {
	if err := f.leader.refusal(); err != nil {
		return err
	}
	r, err := f.queue.join()
	if err == nil {
		err = r.wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	return nil
}

// scheduleBarrier asks the leader when a caller waits or it is time to, and
// returns when that is.
func (s *followLoop) scheduleBarrier(now time.Time) time.Time {
	b := &s.barriers
	if b.running {
		return b.scheduleGiveUp(now)
	}
	at := b.ownAt
	if s.queue.awaited() || at.Before(b.nextAt) {
		at = b.nextAt
	}
	if now.Before(at) {
		return at
	}
	b.asking, b.running = s.queue.take(), true
	here := s.judged
	ctx, giveUp := context.WithCancel(s.ctx)
	b.giveUp, b.giveUpAt, b.outdated = giveUp, time.Time{}, false
	s.work(func(context.Context) func() {
		a := answeredBarrier{sent: time.Now(), here: here}
		err := s.leader.run(ctx, func(ctx context.Context) (err error) {
			a.end, err = leaderEnd(ctx, s.conn, s.stream)
			return err
		})
		return func() {
			giveUp()
			s.onBarrier(a, err)
		}
	})
	return time.Time{}
}

// onLeader is called when a heartbeat shows that the log has a leader again. A question
// that was sent before may never be answered: soon, but not by everybody at once,
// another one takes its place, and no breaker delays it.
func (s *followLoop) onLeader(now time.Time) {
	b := &s.barriers
	s.leader.reset()
	b.nextAt = time.Time{}
	b.ownAt, b.urgent = now.Add(jetstream.Jitter(0, stalledAsk)), true
	if b.running {
		b.giveUpAt = b.ownAt
	}
}

// scheduleGiveUp ends the question under way when that is due, and returns when
// it is.
func (b *barrierState) scheduleGiveUp(now time.Time) time.Time {
	if b.giveUpAt.IsZero() || now.Before(b.giveUpAt) {
		return b.giveUpAt
	}
	b.giveUpAt, b.outdated = time.Time{}, true
	b.giveUp()
	return time.Time{}
}

// spacing returns the least time from one question to the next, by how long its
// answer took. A leader that is busy is left alone for as long again.
func (s *followLoop) spacing(took time.Duration) time.Duration {
	if took > slowAnswer {
		took *= 2
	}
	return max(s.barrierSpacing, took)
}

// refuseQueued answers those who came while the leader was found not to answer:
// they do not wait for the question that finds out whether it does again.
func (s *followLoop) refuseQueued() {
	if err := s.leader.refusal(); err != nil {
		s.finishBarrier(s.queue.take(), err)
	}
}

// leaderEnd asks the leader what a log ends with.
func leaderEnd(ctx context.Context, c jetstream.Client, stream string) (logEnd, error) {
	info, err := c.Info(ctx, stream)
	if err == nil {
		err = info.VerifyLease()
	}
	switch {
	case err != nil:
		return logEnd{}, err
	case info.State.LastSequence == 0:
		return logEnd{}, errNoEntry
	}
	return logEnd{last: info.State.LastSequence, storedAt: info.State.LastTime}, nil
}

// onBarrier takes the answer to the question under way.
func (s *followLoop) onBarrier(a answeredBarrier, err error) {
	b := &s.barriers
	a.batch, b.asking, b.running = b.asking, nil, false
	now := time.Now()
	if b.outdated && err != nil {
		s.finishBarrier(a.batch, errSuperseded)
		s.leader.reset()
		return // the next one is due
	}
	b.nextAt = a.sent.Add(s.spacing(now.Sub(a.sent)))
	s.current.StreamMissing = jetstream.HasCode(err, jetstream.CodeStreamNotFound)
	if errors.Is(err, errNoEntry) && a.here > 0 {
		s.checkDivergence(err)
	}
	if err != nil {
		s.onBarrierFailure(a, err, now)
		return
	}
	b.urgent = false
	b.ownAt = s.nextOwnBarrier(now)
	// What the feed has brought since the question was sent is rightly missing in the answer.
	if a.end.last < a.here {
		err := fmt.Errorf("%w: it names message %d as the last, %d is here", errBehind, a.end.last, a.here)
		s.finishBarrier(a.batch, err)
		s.checkDivergence(err)
		b.unproven(now)
		return
	}
	s.current.LastError = nil
	s.compareSeen(a.end)
	s.end = max(s.end, a.end.last)
	b.answered = append(slices.DeleteFunc(b.answered, answeredBarrier.abandoned), a)
}

// unproven plans the next question after an answer that proves nothing, as when
// an epoch begins while it is under way.
func (b *barrierState) unproven(now time.Time) {
	b.urgent = true
	b.ownAt = now.Add(jetstream.Jitter(unprovenPause/2, unprovenPause))
}

// onBarrierFailure tells those who wait, and plans the next question.
func (s *followLoop) onBarrierFailure(a answeredBarrier, err error, now time.Time) {
	b := &s.barriers
	s.finishBarrier(a.batch, err)
	if s.ctx.Err() != nil {
		return
	}
	s.current.LastError = err
	b.urgent = true
	b.ownAt = s.leader.retryAt()
	if s.leader.refusal() == nil { // the leader does answer
		b.unproven(now)
	}
	b.nextAt = later(b.nextAt, s.leader.retryAt())
	if s.cutOff(err, now) {
		s.reconnect(err, now)
	}
}

// cutOff reports whether the server may be separated from the others, and the
// next one not: no leader was found, for longer than an election takes.
func (s *followLoop) cutOff(err error, now time.Time) bool {
	return !s.current.StreamMissing && !errors.Is(err, errNoEntry) && now.Sub(s.lastHeartbeat()) >= s.timing.Reconnect
}

// nextOwnBarrier returns when to ask for ourselves after an answer at now: once
// no heartbeat has come for a while, then again and again.
func (s *followLoop) nextOwnBarrier(now time.Time) time.Time {
	if now.Sub(s.lastHeartbeat()) < s.timing.HeartbeatTimeout {
		return s.withoutHeartbeat()
	}
	return now.Add(jetstream.Jitter(s.timing.OwnBarrier*8/10, s.timing.OwnBarrier*12/10))
}

// withoutHeartbeat returns when the silence after the last heartbeat is too long. It
// differs between followers, so that they do not ask all at once.
func (s *followLoop) withoutHeartbeat() time.Time {
	return s.lastHeartbeat().Add(jetstream.Jitter(s.timing.HeartbeatTimeout, s.timing.HeartbeatTimeout*13/10))
}

// lastHeartbeat returns when the last heartbeat came, or when the follower began to
// listen.
func (s *followLoop) lastHeartbeat() time.Time {
	if s.current.LastHeartbeat.IsZero() {
		return s.started
	}
	return s.current.LastHeartbeat
}

// resolveBarriers answers those who wait for what is applied now.
func (s *followLoop) resolveBarriers() {
	b := &s.barriers
	if s.transfer.running {
		return
	}
	if s.applied == s.judge.Head() {
		b.partAt = time.Time{}
	}
	b.answered = slices.DeleteFunc(b.answered, func(a answeredBarrier) bool {
		obstacle := s.obstacle()
		switch {
		case obstacle != nil: // a log that is not ours may end where we stand
			s.finishBarrier(a.batch, obstacle)
			b.urgent = true // once the obstacle is gone, heartbeats alone would never call the state complete
		case s.judged < a.end.last, s.unproved, s.fill.verify, s.divergence.active():
			return false // more has to come, or what is here to be looked at
		case s.endsUnseen(a.end):
			return false // what is here has to be compared first
		case s.judge.Head().IsZero():
			s.provesNothing(a, errNothingSigned)
		case s.judge.Doubt() > 0 && s.judge.Doubt() <= s.judged:
			s.provesNothing(a, errRetiredKey)
		case s.applied != s.judge.Head():
			if len(s.ready) > 0 || !a.abandoned() && b.mayComplete(time.Now()) {
				return false // it was not taken yet, or is being stored
			}
			s.finishBarrier(a.batch, errNoTransaction)
			b.unproven(time.Now())
		default:
			if s.judged >= s.end {
				s.head = s.received() // the rest is noise
			}
			s.confirmed(a.sent)
			s.synced()
			s.finishBarrier(a.batch, nil)
		}
		return true
	})
}

// mayComplete reports whether the transaction that the log ends within may still be
// stored, and plans the question whether it is.
func (b *barrierState) mayComplete(now time.Time) bool {
	if b.partAt.IsZero() {
		b.partAt = now
	}
	if now.Sub(b.partAt) >= partPatience {
		return false
	}
	b.ownAt = earlier(b.ownAt, now.Add(partAsk))
	return true
}

// provesNothing tells those who wait for an answer why nothing follows from what was
// read up to there.
func (s *followLoop) provesNothing(a answeredBarrier, err error) {
	s.current.LastError = err
	s.finishBarrier(a.batch, err)
	s.barriers.unproven(time.Now())
}

// refute drops answers that name more than what the leader said afterwards: the
// log was replaced, and what they wait for never comes.
func (s *followLoop) refute(last uint64, asked time.Time) {
	b := &s.barriers
	b.answered = slices.DeleteFunc(b.answered, func(a answeredBarrier) bool {
		if a.end.last <= last || a.sent.After(asked) {
			return false
		}
		s.finishBarrier(a.batch, fmt.Errorf("the log ended with message %d and now ends with %d", a.end.last, last))
		b.urgent = true
		return true
	})
}

// confirmed notes that everything that existed at a moment is applied.
func (s *followLoop) confirmed(at time.Time) {
	if at.After(s.current.LastConfirmed) {
		s.current.LastConfirmed = at
	}
}

func (s *followLoop) synced() {
	if s.current.Synced {
		return
	}
	s.current.Synced = true
	s.target.Synced()
	s.logger.Info().Stringer("revision", s.applied.Token()).Msg("caught up with the log")
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// finishBarrier ends the waiting of a batch, once the status is published.
func (s *followLoop) finishBarrier(r *barrierBatch, err error) {
	if r != nil {
		s.finished = append(s.finished, func() {
			r.err = err
			close(r.done)
		})
	}
}
