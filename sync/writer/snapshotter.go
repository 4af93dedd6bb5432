package writer

import (
	"context"
	"time"

	"github.com/flagside/flagside/sync/internal/jetstream"
	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/rs/zerolog"
)

func defaultTuning() tuning.Snapshots {
	return tuning.Snapshots{Look: 5 * time.Second, Idle: 2 * time.Second, Entries: 1000, Bytes: 16 << 20, Purge: time.Minute}
}

// overdue is how many times of what makes a snapshot due make it so while the
// log goes on growing.
const overdue = 4

// Snapshotter publishes a snapshot of a log now and then as the log grows, so
// that a late follower need not read all of it. Of several publishers one
// succeeds.
type Snapshotter struct {
	log    *Log
	state  func() Snapshot
	logger zerolog.Logger
	tuning tuning.Snapshots

	purgeAt time.Time // zero when there is nothing to purge
	failed  string    // what was logged last
}

// NewSnapshotter returns a snapshotter for l. state returns the publisher's own
// state, or nil while it is not complete; it is called from Run.
func NewSnapshotter(l *Log, state func() Snapshot, logger zerolog.Logger) *Snapshotter {
	return &Snapshotter{log: l, state: state, logger: logger, tuning: defaultTuning()}
}

// Tune changes when a snapshotter that does not run yet publishes. It is for tests of the log.
func (s *Snapshotter) Tune(change func(*tuning.Snapshots)) { change(&s.tuning) }

// Run publishes until ctx ends, and then returns nil.
func (s *Snapshotter) Run(ctx context.Context) error {
	s.purgeAt = time.Now().Add(s.tuning.Purge) // what an earlier process has left
	for jetstream.Pause(ctx, jetstream.Jitter(s.tuning.Look, 2*s.tuning.Look)) {
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
	return s.log.PurgeSnapshots(ctx)
}

func (s *Snapshotter) publish(ctx context.Context) error {
	state := s.state()
	if state == nil {
		return nil
	}
	begun := time.Now()
	published, err := s.log.PublishSnapshot(ctx, state)
	s.purgeAt = time.Now().Add(s.tuning.Purge) // also what another publisher was faster than
	if err != nil || !published {
		return err
	}
	h := state.Header()
	s.logger.Info().Stringer("revision", h.Head.Token()).Int("documents", h.Count).Stringer("took", time.Since(begun).Round(time.Millisecond)).
		Msg("snapshot published")
	return nil
}

// due reports whether the log has grown enough since the newest snapshot, and
// rests. A snapshot of an epoch that is over is replaced without delay.
func (s *Snapshotter) due(ctx context.Context) (bool, error) {
	state := s.state()
	if state == nil {
		return false, nil
	}
	if _, err := s.log.conn.CreateStream(ctx, jetstream.SnapConfig(s.log.environment, s.log.replicas)); err != nil {
		return false, err
	}
	m, _, err := leaderManifest(ctx, s.log.conn, s.log.environment)
	if err != nil {
		return false, err
	}
	info, err := s.log.conn.Info(ctx, jetstream.FlagsStream(s.log.environment))
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
	case entries >= overdue*s.tuning.Entries || bytes >= overdue*s.tuning.Bytes:
		return true, nil
	case entries < s.tuning.Entries && bytes < s.tuning.Bytes:
		return false, nil
	}
	if !jetstream.Pause(ctx, s.tuning.Idle) {
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
		s.logger.Warn().Err(err).Str("environment", s.log.environment).Msg("snapshot not published, trying again")
	}
}
