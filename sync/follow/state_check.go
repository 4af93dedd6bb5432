package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	// stateInterval is how often the documents here are compared with the state
	// that a publisher signed, if something was applied since.
	stateInterval = 10 * time.Second
	// rebuildJitter is how long a follower that holds another state may wait
	// before it reads the log aside, so that a fleet does not read it at once.
	rebuildJitter = 5 * time.Second
)

// stateCheck is about whether the documents here are those that were signed.
type stateCheck struct {
	at       time.Time          // of the next comparison
	compared changelog.Position // what was compared last
	rebuild  time.Time          // when the log is read aside; zero is not at all
	rebuilt  bool               // it was, since the states last agreed, and gave no better one
	finding  error              // of the last comparison that found another state
}

// installed is called when the state was replaced by one whose proof was
// verified.
func (c *stateCheck) installed() { c.rebuild = time.Time{} }

// scheduleStateCheck compares the states when that is due, and returns when it
// is.
func (s *followLoop) scheduleStateCheck(now time.Time) time.Time {
	c := &s.state
	if s.transfer.running || s.signed.Position != s.applied {
		return time.Time{} // what was loaded was verified as it was read
	}
	if !c.rebuild.IsZero() {
		if s.divergence.running {
			return time.Time{} // its end comes as an event, and may replace the state
		}
		if now.Before(c.rebuild) {
			return c.rebuild
		}
		s.rebuildFromLog()
		return time.Time{}
	}
	if c.compared == s.applied {
		return time.Time{}
	}
	if now.Before(c.at) {
		return c.at
	}
	c.at, c.compared = now.Add(s.timing.StateCheck), s.applied
	s.compareState(now)
	return c.rebuild
}

// compareState compares the documents that are applied with the state that was
// signed there.
func (s *followLoop) compareState(now time.Time) {
	ours := s.target.StateDigest()
	if ours == s.signed.State {
		s.current.DifferentState = nil
		s.state.rebuilt = false
		return
	}
	known := s.current.DifferentState != nil
	s.state.finding = fmt.Errorf("the documents at revision %d have state digest %s, %s was signed", s.applied.Revision, ours, s.signed.State)
	s.current.DifferentState = s.state.finding
	if !known {
		s.logger.Error().Err(s.current.DifferentState).Msg("state differs from the one that a publisher signed")
	}
	if !s.state.rebuilt && s.state.rebuild.IsZero() {
		s.state.rebuild = now.Add(jetstream.Jitter(0, min(rebuildJitter, s.timing.StateCheck)))
	}
}

// rebuildFromLog reads the log aside, once, and takes over what it gives if that is
// the state that was signed.
func (s *followLoop) rebuildFromLog() {
	s.state.rebuild, s.state.rebuilt = time.Time{}, true
	s.transfer.running = true
	asked := time.Now()
	applied, end := s.applied, s.judged
	s.work(func(ctx context.Context) func() {
		position, err := s.loadRebuilt(ctx, applied, end)
		return func() { s.onRebuilt(position, asked, err) }
	})
}

// Errors of a state that was read from the log and is not taken over.
var (
	errWrongPublisher = errors.New("the publisher that signed it was wrong")
	errNotContained   = fmt.Errorf("the log does not hold what is applied here: %w", changelog.ErrDifferentHistory)
)

// loadRebuilt hands the target what the log adds up to, if that continues what is
// applied and is the state that was signed.
func (s *followLoop) loadRebuilt(ctx context.Context, applied changelog.Position, end uint64) (changelog.Position, error) {
	info, err := s.conn.Info(ctx, s.stream)
	if err != nil {
		return changelog.Position{}, err
	}
	replayed, err := readRebuild(ctx, s.conn, s.environment, max(info.State.FirstSequence, 1), end)
	if err != nil {
		return changelog.Position{}, err
	}
	if replayed.head.Revision < applied.Revision || replayed.head.Epoch != applied.Epoch || replayed.judge.Compare(applied) != nil {
		return changelog.Position{}, errNotContained
	}
	if digest := replayed.stateDigest(); digest != replayed.head.State {
		return changelog.Position{}, fmt.Errorf("the log gives state digest %s at revision %d, %s was signed: %w",
			digest, replayed.head.Revision, replayed.head.State, errWrongPublisher)
	}
	return replayed.head.Position, replayed.read(s.target.Load)
}

// decided reports whether another reading would give the same.
func decided(err error) bool {
	for _, final := range []error{errWrongPublisher, changelog.ErrDifferentHistory, jetstream.ErrHole, changelog.ErrUnreadable} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// onRebuilt goes on from the state that was read aside, or where it stood.
func (s *followLoop) onRebuilt(position changelog.Position, asked time.Time, err error) {
	s.transfer.running = false
	now := time.Now()
	if err != nil {
		if s.ctx.Err() == nil {
			s.current.DifferentState = fmt.Errorf("%w; %s", s.state.finding, err.Error())
			s.logger.Error().Err(err).Msg("state not read from the change log")
		}
		if !decided(err) {
			s.state.rebuilt, s.state.rebuild = false, now.Add(jetstream.Jitter(s.timing.StateCheck/2, s.timing.StateCheck))
		}
		s.fill.restart(now) // entries were not taken meanwhile
		return
	}
	s.logger.Warn().Stringer("revision", position.Token()).Msg("state replaced by the one in the change log")
	s.current.DifferentState = nil
	s.current.Rebuilds++
	s.state.rebuilt = false // they agree: what was read was verified
	s.continueFrom(position, asked, now)
	s.head, s.end = max(s.head, position.Revision), max(s.end, position.Revision)
}
