package follow

import (
	"context"
	"errors"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// searchPatience is for how long servers that do not answer are asked again for a
// snapshot: to read the log instead would be more work for them.
const searchPatience = 5 * time.Second

// snapshotSearch is about looking for a published snapshot.
type snapshotSearch struct {
	done    bool      // there was an answer since the start
	at      uint64    // head that was known when there was one
	refused time.Time // since when no server answers; zero when one does
}

// worthFinding reports whether a published snapshot may save much reading.
func (s *followLoop) worthFinding() bool {
	if s.received() == 0 {
		return !s.search.done
	}
	gain := max(s.timing.SnapshotGain, 1)
	return !s.fill.verify && s.end >= max(s.judged, s.search.at)+gain
}

// findSnapshot looks for a published snapshot that saves enough reading. It reports
// whether it is being looked for.
func (s *followLoop) findSnapshot() bool {
	if !s.worthFinding() {
		return false
	}
	s.transfer.running = true
	held, asked := s.judge.Head(), time.Now()
	s.work(func(ctx context.Context) func() {
		position, err := s.loadPublished(ctx, func(p changelog.PublishedSnapshot) bool {
			if !held.IsZero() && p.Epoch != held.Epoch {
				return false // the log has to show first that it left our epoch
			}
			saved := p.Revision - min(p.Revision, held.Revision)
			return saved >= s.timing.SnapshotGain && saved > uint64(p.Count)
		})
		return func() { s.onSnapshot(position, asked, err) }
	})
	return true
}

// onSnapshot goes on from the snapshot that was looked for, or from where it stood.
func (s *followLoop) onSnapshot(position changelog.Position, asked time.Time, err error) {
	s.transfer.running = false
	now := time.Now()
	if err != nil && !errors.Is(err, errNoSnapshot) && s.ctx.Err() == nil {
		s.current.LastError = err
	}
	if errors.Is(err, flagsync.ErrUnreachable) && s.findAgain(now) {
		s.fill.again(now)
		s.fill.at = later(s.fill.at, s.manifests.retryAt())
		return
	}
	s.search = snapshotSearch{done: true, at: s.end}
	if err != nil {
		s.fill.restart(now)
		return
	}
	s.logger.Info().Stringer("revision", position.Token()).Msg("published snapshot found to catch up from")
	s.continueFrom(position, asked, now)
	s.head, s.end = max(s.head, position.Revision), max(s.end, position.Revision)
}

// findAgain reports whether to go on looking for a snapshot although no server has
// answered.
func (s *followLoop) findAgain(now time.Time) bool {
	if !s.conn.Connected() {
		return true
	}
	if s.search.refused.IsZero() {
		s.search.refused = now
	}
	return now.Sub(s.search.refused) < searchPatience
}
