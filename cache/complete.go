package cache

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// completeSpacing is how often the moment of the last complete state is written at most. A process that is killed leaves one that is so much too
// early, which only makes the state look older.
const completeSpacing = 10 * time.Second

// completion says when a state was last known to have everything that existed. It is not proved, so it is shown and decides nothing.
type completion struct {
	// At is by the wall clock, because it is for another process.
	At time.Time `json:"at"`
	// Position is that of the state, or a later one.
	Position changelog.Position `json:"position"`
}

// covers reports whether a state at p has everything that existed at that moment.
func (c completion) covers(p changelog.Position) bool {
	return !c.At.IsZero() && c.Position.Epoch == p.Epoch && c.Position.Revision <= p.Revision
}

// Complete says that everything that existed at a moment is applied. While Run runs, the moment is kept in the directory for [Store.EstimatedAge]
// of the next process.
func (s *Store) Complete(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.view.Load(); s.next == nil && v != nil && !v.Position().IsZero() {
		s.complete = completion{At: at.UTC().Round(0), Position: v.Position()}
	}
}

// EstimatedAge returns how long ago the state that Restore found was complete; known is false if that was not kept. The time between the two
// processes is by the wall clock, which may have been set meanwhile, so it is an estimate. From the start of this process on it counts on the
// monotonic clock, and it is never less than the time since then. It takes no lock and does not allocate.
func (s *Store) EstimatedAge() (age time.Duration, known bool) {
	if at := s.completeBefore.Load(); at != nil {
		return time.Since(*at), true
	}
	return 0, false
}

// estimateAge notes when a restored state was complete, if that is kept. What cannot be read is not known.
func (s *Store) estimateAge(restored changelog.Position) {
	data, err := os.ReadFile(s.disk.path(completeFile))
	if err != nil {
		return
	}
	var before completion
	if json.Unmarshal(data, &before) != nil || !before.covers(restored) {
		return
	}
	passed := max(s.began.Round(0).Sub(before.At), 0)
	s.completeBefore.Store(new(s.began.Add(-passed)))
}

// keepComplete writes the moment of the last complete state from time to time until ctx ends.
func (s *Store) keepComplete(ctx context.Context) {
	ticker := time.NewTicker(completeSpacing)
	defer ticker.Stop()
	for {
		s.writeComplete()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// writeComplete writes the moment if it is another than was written. That the disk refuses it is no condition: whatever else is written there
// says so.
func (s *Store) writeComplete() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	last := s.complete
	s.mu.Unlock()
	if s.disk == nil || s.disk.lock == nil || last == s.completeStored {
		return
	}
	data, err := json.Marshal(last)
	if err == nil && s.disk.replace(completeFile, data) == nil {
		s.completeStored = last
	}
}
