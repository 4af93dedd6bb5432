package follow

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/rs/zerolog"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Target is what a [Follower] keeps current. While [Follower.Run] runs, no two
// methods are called at the same time.
type Target interface {
	// Position returns what is applied so far; zero is nothing.
	Position() changelog.Position
	// Apply applies whole transactions in order, as one visible step. The
	// records are the target's to keep. An error means that nothing was applied.
	Apply(txs []changelog.Transaction) error
	// Load replaces everything by a snapshot, which it reads to the end. An error
	// means that nothing was replaced.
	Load(s *changelog.SnapshotReader) error
	// Synced tells that everything up to a confirmed head is applied: the state
	// is complete.
	Synced()
	// StateDigest returns the digest of the documents that are applied.
	StateDigest() changelog.Digest
}

// ProvedTarget is a [Target] that keeps the proof of what it holds, so that it can be
// told later whether the key that signed it still counts.
type ProvedTarget interface {
	// Head returns the proof of what is applied, zero if nothing is.
	Head() changelog.Head
}

// Options configure a [Follower].
type Options struct {
	Environment string
	// HoldAtHole is for publishers: a hole in the log is not passed by a
	// snapshot, but only by a new epoch, which is an operator's decision.
	HoldAtHole bool
	// BarrierSpacing is the least time from one question of [Follower.Barrier] to
	// the next, whatever the number of callers; 0 is a millisecond. A fleet that
	// makes many barriers shares the capacity of the leader by it.
	BarrierSpacing time.Duration
	Logger         zerolog.Logger
}

// errStopped is returned to who waits for a follower that has ended.
var errStopped = errors.New("the follower has stopped")

// Follower keeps a [Target] current with the log of an environment: it takes
// the feed, repairs what the feed loses, and knows how old its knowledge is.
// Whatever happens to the log, it takes nothing away from the target but by the
// entries of its history, or for the complete state of a new epoch. All methods
// are safe for concurrent use.
type Follower struct {
	conn        jetstream.Client
	target      Target
	environment string
	holdAtHole  bool
	logger      zerolog.Logger
	timing      tuning.Follower

	barrierSpacing time.Duration
	leader         *breaker // of questions about where the log ends
	entries        *breaker // of reads of the log
	manifests      *breaker // of looking for published snapshots
	snapshots      *breaker // of reads of their chunks

	status  atomic.Pointer[Status]
	turns   atomic.Uint64 // of the loop of Run
	queue   *barrierQueue
	waiters chan *waiter
	stopped chan struct{} // closed when Run has ended
}

// New returns a follower that begins where t stands.
func New(c *flagsync.Conn, t Target, o Options) (*Follower, error) {
	if err := flagsync.ValidateEnvironment(o.Environment); err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	f := &Follower{
		conn: jetstream.Use(c), target: t, environment: o.Environment, holdAtHole: o.HoldAtHole, logger: o.Logger, timing: defaultTiming(),
		barrierSpacing: max(o.BarrierSpacing, barrierSpacing),
		leader:         newBreaker("leader", leaderLimit, isLeaderFailure),
		entries:        newBreaker("entries", entriesLimit, isEntriesFailure),
		manifests:      newBreaker("manifest", manifestLimit, isUnreachable),
		snapshots:      newBreaker("snapshot", chunkLimit, isUnreachable, newChunkRetries()...),
		queue:          newBarrierQueue(),
		waiters:        make(chan *waiter), stopped: make(chan struct{}),
	}
	f.status.Store(&Status{})
	return f, nil
}

// Run follows until ctx ends, and then returns nil. It returns an error when
// the connection is closed when it begins. A Follower runs once.
func (f *Follower) Run(ctx context.Context) error {
	defer close(f.stopped)
	ctx, cancel := context.WithCancel(ctx)
	s := newFollowLoop(ctx, f)
	defer s.workers.Wait()
	defer cancel()

	missed, stopListening := f.conn.Listen()
	defer stopListening()
	if err := s.subscribe(); err != nil {
		return fmt.Errorf("follow %s: %w", f.environment, err)
	}
	defer s.unsubscribe()

	for {
		s.settle()
		select {
		case <-ctx.Done():
			s.stop()
			return nil
		case <-missed:
			s.onMissed()
		case m := <-s.feed.messages:
			s.onMessage(m)
		case a := <-s.heartbeat.queue:
			s.onHeartbeat(a)
		case result := <-s.results:
			result()
		case <-f.queue.wake:
		case w := <-f.waiters:
			s.enqueue(w)
		case <-s.timer.C:
		}
	}
}
