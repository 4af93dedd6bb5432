package flagsync

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// seekPatience is for how long servers that do not answer are asked again for a
// snapshot: to read the log instead would be more work for them.
const seekPatience = 5 * time.Second

// seekState is about looking for a published snapshot.
type seekState struct {
	done    bool      // there was an answer since the start
	at      uint64    // head that was known when there was one
	refused time.Time // since when nobody answers; zero when somebody does
}

// worthSeeking reports whether a published snapshot may save much reading.
func (s *following) worthSeeking() bool {
	if s.received() == 0 {
		return !s.seeking.done
	}
	gain := max(s.timing.SnapshotGain, 1)
	return !s.fill.verify && s.end >= max(s.judged, s.seeking.at)+gain
}

// seek looks for a published snapshot that saves enough reading. It reports
// whether it is being looked for.
func (s *following) seek() bool {
	if !s.worthSeeking() {
		return false
	}
	s.takeover.running = true
	held, asked := s.judge.Head(), time.Now()
	s.work(func(ctx context.Context) func() {
		position, err := s.loadPublished(ctx, func(p changelog.PublishedSnapshot) bool {
			if !held.IsZero() && p.Epoch != held.Epoch {
				return false // the log has to show first that it left our epoch
			}
			saved := p.Revision - min(p.Revision, held.Revision)
			return saved >= s.timing.SnapshotGain && saved > uint64(p.Count)
		})
		return func() { s.found(position, asked, err) }
	})
	return true
}

// found goes on from the snapshot that was looked for, or from where it stood.
func (s *following) found(position changelog.Position, asked time.Time, err error) {
	s.takeover.running = false
	now := time.Now()
	if err != nil && !errors.Is(err, errNoSnapshot) && s.ctx.Err() == nil {
		s.current.LastError = err
	}
	if errors.Is(err, ErrUnreachable) && s.seekAgain(now) {
		s.fill.again(now)
		s.fill.at = later(s.fill.at, s.manifests.retryAt())
		return
	}
	s.seeking = seekState{done: true, at: s.end}
	if err != nil {
		s.fill.restart(now)
		return
	}
	s.log.Info().Uint64("revision", position.Revision).Msg("much is taken from a published snapshot")
	s.continueFrom(position, asked, now)
	s.head, s.end = max(s.head, position.Revision), max(s.end, position.Revision)
}

// seekAgain reports whether to go on looking for a snapshot although nobody has
// answered.
func (s *following) seekAgain(now time.Time) bool {
	if !s.conn.Connected() {
		return true
	}
	if s.seeking.refused.IsZero() {
		s.seeking.refused = now
	}
	return now.Sub(s.seeking.refused) < seekPatience
}
