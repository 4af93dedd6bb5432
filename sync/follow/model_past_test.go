package follow_test

import (
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// written is an entry that stood in some log once.
type written struct {
	before changelog.Position
	state  changelog.Digest // of the documents after it
	whole  bool             // a state that may be served ends here
}

// head is where a log ended from a moment on.
type head struct {
	at         time.Time
	position   changelog.Position
	generation int
}

// note remembers an entry that was appended.
func (w *world) note(before changelog.Position, r changelog.Record) {
	w.written[r.Position()] = written{
		before: before, state: w.sum(), whole: r.Index == r.Count && w.incomplete() == 0,
	}
	w.noteHead()
}

func (w *world) noteHead() {
	w.heads = append(w.heads, head{at: time.Now(), position: w.newest(), generation: w.generation})
}

// look returns what is known of a position of whatever log.
func (w *world) look(p changelog.Position) (written, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found, ok := w.written[p]
	return found, ok
}

// contains reports whether the history up to p has q in it.
func (w *world) contains(p, q changelog.Position) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.within(p, q)
}

func (w *world) within(p, q changelog.Position) bool {
	for p.Revision > q.Revision {
		p = w.written[p].before
	}
	return p == q || q.IsZero()
}

// proves reports whether a follower that stood at one of some positions may say
// that everything was applied at a moment: it was the log's newest, or newer,
// and the log did not end before it.
func (w *world) proves(positions []changelog.Position, moment time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, last := make(map[int]changelog.Position), make(map[int]changelog.Position)
	for i, h := range w.heads {
		over := i+1 < len(w.heads) && !w.heads[i+1].at.After(moment)
		if over {
			continue
		}
		if _, ok := first[h.generation]; !ok {
			first[h.generation] = h.position
		}
		last[h.generation] = h.position
	}
	for generation, least := range first {
		for _, p := range positions {
			if w.within(p, least) && w.within(last[generation], p) {
				return true
			}
		}
	}
	return false
}

// replacements returns how often the log was replaced.
func (w *world) replacements() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.generation
}

// holedOnce reports whether a log had a hole: behind one it cannot be told what
// was before.
func (w *world) holedOnce() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.punched
}

// renews reports whether the epoch of a position begins with a renewal.
func (w *world) renews(p changelog.Position) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.past {
		if m.record.Epoch == p.Epoch && m.record.ReplacesEpoch() {
			return true
		}
	}
	return false
}
