package follow

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

func defaultTiming() tuning.Follower {
	return tuning.Follower{
		HeartbeatTimeout: 3 * time.Second,
		OwnBarrier:       10 * time.Second,
		AskLeader:        100 * time.Millisecond,
		Standstill:       10 * time.Second,
		Recheck:          5 * time.Second,
		ApplyRetry:       time.Second,
		Reconnect:        10 * time.Second,
		StateCheck:       stateInterval,
		SnapshotGain:     snapshotGain,
	}
}

// Tune changes the timing of a follower that does not run yet. It is for tests of the log.
func (f *Follower) Tune(change func(*tuning.Follower)) { change(&f.timing) }

// Bounds of what waits while a gap is filled, or in the subscription while the
// target is busy. What exceeds them is dropped, and filled later. The queue after
// the subscription is short, because only its entries are counted: of the largest
// size they are half of bufferBytes.
const (
	bufferBytes   = 16 << 20
	bufferEntries = 16384
	feedQueue     = 16
	feedDrain     = 1024 // entries of the feed that are applied as one step
)

// followLoop is the state of a running follower. It belongs to the goroutine of
// Run; workers hand it their results as functions to be called there.
type followLoop struct {
	*Follower
	ctx     context.Context //nolint:containedctx // ends with Run, as the struct does
	stream  string
	workers sync.WaitGroup
	results chan func()
	timer   *time.Timer
	subs    []jetstream.Subscription

	cursors // every file moves these; the groups below belong to the file that declares them

	feed       feedState
	heartbeat  heartbeatState
	seen       seenState
	link       connectionState
	fill       fillState
	divergence divergenceCheck
	transfer   stateTransfer
	search     snapshotSearch
	state      stateCheck
	barriers   barrierState
	ping       pingState
	waiting    []*waiter // for a revision
	finished   []func()  // tell those whose waiting is over

	started time.Time
	current Status // what is published
}

// cursors are how far the log is known, and what of it waits to be applied.
type cursors struct {
	judge     *changelog.Judge // its head is what was received: the last entry that is proved
	judged    uint64           // every sequence up to here is known to be an entry or noise
	unproved  bool             // entries that a fill has brought wait for a later one that proves them
	assembler changelog.Assembler
	openOp    string                  // op-id of the transaction being assembled
	ready     []changelog.Transaction // whole, and not applied yet
	applied   changelog.Position
	signed    changelog.Head // of what was applied last; zero before that
	head      uint64         // highest revision of our epoch that is known to exist
	end       uint64         // highest sequence of the stream that is known to exist
	applyAt   time.Time
	foreignTo uint64 // last sequence that is counted in Foreign
}

func newFollowLoop(ctx context.Context, f *Follower) *followLoop {
	now := time.Now()
	s := &followLoop{
		Follower: f, ctx: ctx, stream: jetstream.FlagsStream(f.environment),
		results: make(chan func()), timer: time.NewTimer(0),
		cursors: cursors{applied: f.target.Position()},
		feed:    feedState{messages: make(chan jetstream.Message, feedQueue), buffer: make(map[changelog.Link]jetstream.Message)},
		heartbeat: heartbeatState{
			queue:   make(chan arrival, heartbeatQueue),
			stalled: now, // a heartbeat may be an old one until a barrier has shown where the log ends
		},
		started: now,
	}
	s.judge = changelog.NewJudge(f.conn.Keyring(), f.environment, s.applied)
	s.judged, s.foreignTo = s.applied.Revision, s.applied.Revision
	s.fill.at = now
	if s.applied.IsZero() {
		s.fill.at = now.Add(jetstream.Jitter(0, coldJitter))
	} else {
		s.fill.verify = true
	}
	s.barriers.ownAt, s.barriers.urgent = now, true
	s.ping = pingState{sent: now.Add(-jetstream.Jitter(0, pingInterval)), answered: now} // nothing can have come before
	return s
}

// subscribe asks for the feed and the heartbeats before anything is read, so that
// nothing falls between.
func (s *followLoop) subscribe() error {
	err := s.listen(s.conn.SubscribeFeed, jetstream.FeedSubject(s.environment)+".>", func(m jetstream.Message) {
		select {
		case s.feed.messages <- m:
		case <-s.ctx.Done():
		}
	})
	if err != nil {
		return err
	}
	return s.listen(s.conn.Subscribe, jetstream.HeartbeatSubject(s.environment), s.queueHeartbeat)
}

func (s *followLoop) listen(subscribe func(string, func(jetstream.Message)) (jetstream.Subscription, error), subject string, take func(jetstream.Message)) error {
	sub, err := subscribe(subject, take)
	if err != nil {
		return err
	}
	s.subs = append(s.subs, sub)
	return sub.Limit(bufferEntries, bufferBytes)
}

func (s *followLoop) unsubscribe() {
	for _, sub := range s.subs {
		sub.Unsubscribe()
	}
}

// work runs a read in the background and its result, a function, in the
// goroutine of Run.
func (s *followLoop) work(read func(ctx context.Context) func()) {
	s.workers.Go(func() {
		result := read(s.ctx)
		select {
		case s.results <- result:
		case <-s.ctx.Done():
		}
	})
}

// received returns the revision of the last entry received in order.
func (s *followLoop) received() uint64 { return s.judge.Head().Revision }

// onMissed is called when messages may have been missed: after a reconnect, or
// when a subscription was too slow.
func (s *followLoop) onMissed() {
	now := time.Now()
	s.link.doubted = now
	if s.current.Unsigned > 0 { // another server may have the true log, which may be shorter
		s.judged, s.end, s.head, s.current.Unsigned = 0, 0, 0, 0
	}
	s.compare()
	if s.received() > 0 || !s.fill.active() { // who holds nothing begins in its turn
		s.fill.restart(now)
	}
	s.leader.reset()
	s.entries.reset()
	s.barriers.ownAt, s.barriers.nextAt, s.barriers.urgent = now, time.Time{}, true
	s.ping.sent = now.Add(-pingInterval) // the next one is due
}

// confirmedByLeader is called when the leader was asked, at a moment, about what was
// received, and knows it. While there was no connection since, the log may have
// been replaced.
func (s *followLoop) confirmedByLeader(asked time.Time) {
	s.fill.verify = s.received() > 0 && !asked.After(s.link.doubted)
}

// settle brings everything in line after an event: it applies, answers who
// waits, starts what is due, publishes the status and sets the timer.
func (s *followLoop) settle() {
	now := time.Now()
	s.turns.Add(1)
	s.apply(now)
	s.resolveBarriers()
	s.resolveWaiters()
	s.refuseQueued()
	s.publish()
	s.deliver() // to whom Status must show what they waited for

	next := []time.Time{
		s.nextApply(),
		s.scheduleDivergenceCheck(now),
		s.scheduleFill(now),
		s.scheduleBarrier(now),
		s.schedulePing(now),
		s.scheduleStateCheck(now),
	}
	wake := now.Add(time.Hour)
	for _, at := range next {
		if !at.IsZero() && at.Before(wake) {
			wake = at
		}
	}
	s.timer.Reset(max(time.Until(wake), 0))
}

// apply hands the target what is whole, as one step.
func (s *followLoop) apply(now time.Time) {
	if len(s.ready) == 0 || now.Before(s.applyAt) || s.transfer.running {
		return
	}
	if err := s.target.Apply(s.ready); err != nil {
		s.current.LastError = fmt.Errorf("apply revision %d: %w", s.ready[0].Position().Revision, err)
		s.applyAt = now.Add(s.timing.ApplyRetry)
		s.logger.Error().Err(err).Stringer("revision", s.ready[0].Position().Token()).Msg("changes not applied, trying again")
		return
	}
	s.signed = s.ready[len(s.ready)-1].Head()
	s.applied = s.signed.Position
	s.ready = nil
	if !s.applyAt.IsZero() {
		s.applyAt = time.Time{}
		s.fill.restart(now) // entries were not taken meanwhile
	}
}

// nextApply returns when what the target refused is handed to it again.
func (s *followLoop) nextApply() time.Time {
	if s.transfer.running {
		return time.Time{} // its end comes as an event
	}
	return s.applyAt
}

// blocked reports whether the target refuses what was handed to it, or is being
// replaced as a whole; more is not taken then.
func (s *followLoop) blocked() bool { return !s.applyAt.IsZero() || s.transfer.running }
