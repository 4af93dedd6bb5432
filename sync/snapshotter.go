package flagsync

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// snapshotPolicy is when a publisher publishes a snapshot. Tests shorten it.
type snapshotPolicy struct {
	look    time.Duration // how often it is looked whether one is due; up to twice as long, so that publishers take turns
	idle    time.Duration // how long the log must not have grown
	entries uint64        // more than the newest snapshot has
	bytes   uint64        // the same in bytes of the log
	purge   time.Duration // how long what was replaced can still be read
}

func defaultSnapshotPolicy() snapshotPolicy {
	return snapshotPolicy{look: 5 * time.Second, idle: 2 * time.Second, entries: 1000, bytes: 16 << 20, purge: time.Minute}
}

// overdue is how many times of what makes a snapshot due make it so while the
// log goes on growing.
const overdue = 4

// Snapshotter publishes a snapshot of a log now and then as the log grows, so
// that whoever comes late need not read all of it. Of several publishers one
// succeeds.
type Snapshotter struct {
	log    *Log
	state  func() Snapshot
	logger zerolog.Logger
	policy snapshotPolicy

	purgeAt time.Time // zero when there is nothing to purge
	failed  string    // what was logged last
}

// NewSnapshotter returns a snapshotter for l. state returns the publisher's own
// state, or nil while it is not complete; it is called from Run.
func NewSnapshotter(l *Log, state func() Snapshot, logger zerolog.Logger) *Snapshotter {
	return &Snapshotter{log: l, state: state, logger: logger, policy: defaultSnapshotPolicy()}
}

// Run publishes until ctx ends, and then returns nil.
func (s *Snapshotter) Run(ctx context.Context) error {
	s.purgeAt = time.Now().Add(s.policy.purge) // what an earlier process has left
	for pause(ctx, jitter(s.policy.look, 2*s.policy.look)) {
		s.note(ctx, s.step(ctx))
	}
	return nil
}

// step publishes what is due and purges what was replaced.
func (s *Snapshotter) step(ctx context.Context) error {
	if s.state() == nil {
		return nil
	}
	due, err := s.due(ctx)
	if err != nil {
		return err
	}
	if due {
		if err := s.publish(ctx); err != nil {
			return err
		}
	}
	if s.purgeAt.IsZero() || time.Now().Before(s.purgeAt) {
		return nil
	}
	s.purgeAt = time.Time{}
	return s.log.purgeSnapshots(ctx)
}

func (s *Snapshotter) publish(ctx context.Context) error {
	state := s.state()
	if state == nil {
		return nil
	}
	begun := time.Now()
	published, err := s.log.PublishSnapshot(ctx, state)
	s.purgeAt = time.Now().Add(s.policy.purge) // also what another publisher was faster than
	if err != nil || !published {
		return err
	}
	h := state.Header()
	s.logger.Info().Uint64("revision", h.Head.Revision).Int("documents", h.Count).Dur("took", time.Since(begun)).
		Msg("a snapshot is published")
	return nil
}

// due reports whether the log has grown enough since the newest snapshot, and
// rests. A snapshot of an epoch that is over is replaced without delay.
func (s *Snapshotter) due(ctx context.Context) (bool, error) {
	state := s.state()
	if state == nil {
		return false, nil
	}
	if _, err := s.log.conn.createStream(ctx, snapConfig(s.log.environment, s.log.replicas)); err != nil {
		return false, err
	}
	m, _, err := leaderManifest(ctx, s.log.conn, s.log.environment)
	if err != nil {
		return false, err
	}
	info, err := s.log.conn.info(ctx, flagsStream(s.log.environment))
	if err != nil {
		return false, err
	}
	at, newest := state.Header().Head.Position, m.Newest()
	if newest.Revision > 0 && newest.Epoch != at.Epoch {
		return true, nil
	}
	if newest.Revision >= at.Revision {
		return false, nil
	}
	entries, bytes := at.Revision-newest.Revision, info.State.Bytes-min(newest.LogBytes, info.State.Bytes)
	switch {
	case entries >= overdue*s.policy.entries || bytes >= overdue*s.policy.bytes:
		return true, nil
	case entries < s.policy.entries && bytes < s.policy.bytes:
		return false, nil
	}
	if !pause(ctx, s.policy.idle) {
		return false, nil
	}
	now := s.state()
	return now != nil && now.Header().Head.Position == at, nil
}

// note logs what went wrong, once.
func (s *Snapshotter) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		s.failed = ""
	case s.failed != err.Error():
		s.failed = err.Error()
		s.logger.Warn().Err(err).Str("environment", s.log.environment).Msg("snapshots are not published for now")
	}
}
