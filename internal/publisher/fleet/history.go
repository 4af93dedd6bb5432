package fleet

import (
	"cmp"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

const (
	// maxChanges is of how many changes it is known how they were served.
	maxChanges = 100
	// maxStates is of how many revisions the digest of the state is known.
	maxStates = 256
	// maxSamples is of how many acknowledgements of a change the time is kept, and maxIDs how many of its documents.
	maxSamples = 2 * acknowledging
	maxIDs     = 100
)

// Change is a change as it was committed.
type Change struct {
	Position changelog.Position
	First    uint64           // revision of its first document; 0 if it has one
	State    changelog.Digest // of the documents after it
	IDs      []document.ID    // that it changed
}

// Serving is how a change came to be served, as far as it is known.
type Serving struct {
	Position changelog.Position
	// Served is how many sidecars serve it, or a later one, of so many that are known.
	Served, Of int
	// Everywhere is true once every sidecar that was known served it: so many, so long after it was committed.
	Everywhere bool
	Sidecars   int
	After      time.Duration
	// Acks is how many sidecars acknowledged it. Half of them served it within Median, and so on; they are zero without any.
	Acks             int
	Median, P90, P99 time.Duration
}

// history is the last changes of an environment, oldest first.
type history struct {
	head    changelog.Position
	changes []*tracked
	states  []digested // oldest first
	weighed uint64     // how often a report was weighed against a change: what reports cost, which tests bound
}

// tracked is a change of which it is measured when it is served.
type tracked struct {
	Change
	committed  time.Time
	concerns   concerns        // of which documents it is
	count      int             // of the sidecars in the table that have reached it
	lacking    int             // of those, how many do not serve it all the same
	last       time.Time       // when one more of them did, or one that did not was gone
	samples    []time.Duration // from the commit to an acknowledgement
	alone      bool            // no sidecar was known when it was committed, so there is nothing to measure
	everywhere bool
	sidecars   int
	after      time.Duration
}

// concerns is which flags a change may concern: all of them if it is not known, or has more than flags, which others depend on.
type concerns struct {
	all   bool
	flags map[string]struct{}
}

func newConcerns(ids []document.ID) concerns {
	c := concerns{all: len(ids) == maxIDs || len(ids) == 0, flags: make(map[string]struct{}, len(ids))}
	for _, id := range ids {
		c.all = c.all || id.Kind != document.KindFlag
		c.flags[id.Key] = struct{}{}
	}
	return c
}

// any reports whether a change may concern one of so many flags, of which the first are named.
func (c concerns) any(n int, keys []string) bool {
	return n > 0 && (c.all || n > len(keys) || slices.ContainsFunc(keys, func(key string) bool { _, ok := c.flags[key]; return ok }))
}

// digested is the digest of the state at a position.
type digested struct {
	position changelog.Position
	state    changelog.Digest
}

// Stand notes where the log stands, with nothing to measure: after a start, or when another state was taken over.
func (t *Table) Stand(p changelog.Position, state changelog.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Epoch != t.history.head.Epoch {
		t.forget()
	}
	t.history.head = p
	t.noteState(p, state)
	t.tell()
}

// Committed notes that a change was committed at a time. It may be told again with what was not known of it; the first time counts.
func (t *Table) Committed(c Change, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := &t.history
	if known := h.find(c.Position); known != nil {
		if !c.State.IsZero() {
			known.State = c.State
			t.noteState(c.Position, c.State)
		}
		if len(known.IDs) == 0 && len(c.IDs) > 0 {
			known.IDs, known.First = c.IDs[:min(len(c.IDs), maxIDs)], c.First
			t.count(known)
		}
		t.converge(now)
		t.tell()
		return
	}
	switch {
	case c.Position.Epoch != h.head.Epoch && !c.Position.Epoch.Later(h.head.Epoch), reaches(h.head, c.Position):
		return // it is older than what is known
	case c.Position.Epoch != h.head.Epoch:
		t.forget()
	}
	h.head = c.Position
	if !c.State.IsZero() {
		t.noteState(c.Position, c.State)
	}
	c.IDs = c.IDs[:min(len(c.IDs), maxIDs)]
	added := &tracked{Change: c, committed: now, last: now, alone: len(t.rows) == 0}
	t.count(added)
	if len(h.changes) == maxChanges {
		h.changes = slices.Delete(h.changes, 0, 1)
	}
	h.changes = append(h.changes, added)
	t.converge(now)
	t.tell()
}

// reaches reports whether a position lies at another one of the same epoch, or behind it.
func reaches(p, other changelog.Position) bool {
	return p.Epoch == other.Epoch && p.Revision >= other.Revision
}

func (h *history) find(p changelog.Position) *tracked {
	for _, c := range slices.Backward(h.changes) {
		if c.Position.Epoch == p.Epoch && c.Position.Revision == p.Revision {
			return c
		}
	}
	return nil
}

// forget begins another history.
func (t *Table) forget() {
	t.history = history{weighed: t.history.weighed}
	for _, r := range t.rows {
		r.diverged = false
	}
}

// noteState notes the digest of the state at a position, which tells who has diverged there.
func (t *Table) noteState(p changelog.Position, state changelog.Digest) {
	h := &t.history
	changed := []uint64{p.Revision}
	if len(h.states) == maxStates {
		changed = append(changed, h.states[0].position.Revision)
		h.states = slices.Delete(h.states, 0, 1)
	}
	h.states = append(h.states, digested{position: p, state: state})
	for _, r := range t.rows {
		if slices.Contains(changed, r.report.Position.Revision) {
			h.blame(r, -1)
			r.diverged = h.diverges(r.report)
			h.blame(r, 1)
		}
	}
}

// count counts who serves a change.
func (t *Table) count(c *tracked) {
	c.concerns, c.count, c.lacking = newConcerns(c.IDs), 0, 0
	for _, r := range t.rows {
		if reaches(r.report.Position, c.Position) {
			c.count++
			if t.history.lacks(r, c) {
				c.lacking++
			}
		}
	}
}

// blame adds n to what each change counts as lacking it, if a sidecar has reached it and does not serve it all the same. So whether a change is
// served everywhere needs no look at the sidecars.
func (h *history) blame(r *row, n int) {
	if !r.diverged && r.report.Refused == 0 {
		return
	}
	for _, c := range h.changes {
		if reaches(r.report.Position, c.Position) && h.lacks(r, c) {
			c.lacking += n
		}
	}
}

// lacks reports whether a sidecar that has reached a change does not serve it all the same.
func (h *history) lacks(r *row, c *tracked) bool {
	h.weighed++
	return r.diverged || c.concerns.any(r.report.Refused, r.report.RefusedKeys)
}

// diverges reports whether a sidecar serves other documents than there are at its revision.
func (h *history) diverges(r status.Report) bool {
	for _, d := range slices.Backward(h.states) {
		if d.position.Revision == r.Position.Revision && d.position.Epoch == r.Position.Epoch {
			return d.position.Digest != r.Position.Digest || d.state != r.State
		}
	}
	return false
}

// served measures what a sidecar serves now and did not before. A sidecar that has just begun to follow the history measures nothing.
func (h *history) served(before changelog.Position, now status.Report, at time.Time, measure func(time.Duration)) {
	for _, c := range h.changes {
		if reaches(now.Position, c.Position) == reaches(before, c.Position) {
			continue
		}
		if reaches(before, c.Position) { // it has gone back
			c.count--
			continue
		}
		c.count, c.last = c.count+1, at
		if now.Kind == status.KindAck && before.Epoch == c.Position.Epoch && len(c.samples) < maxSamples {
			took := max(at.Sub(c.committed), 0)
			c.samples = append(c.samples, took)
			measure(took)
		}
	}
}

// left notes that a sidecar is gone that served a position.
func (h *history) left(p changelog.Position, at time.Time) {
	for _, c := range h.changes {
		if reaches(p, c.Position) {
			c.count--
		} else {
			c.last = at
		}
	}
}

// converge notes which changes are served everywhere now.
func (t *Table) converge(now time.Time) {
	if len(t.rows) == 0 || !t.isComplete(now) {
		return
	}
	for _, c := range t.history.changes {
		if c.everywhere || c.alone || c.count < len(t.rows) || c.lacking > 0 {
			continue
		}
		c.everywhere, c.sidecars, c.after = true, len(t.rows), max(c.last.Sub(c.committed), 0)
		t.options.Everywhere(t.serving(c), c.committed)
	}
}

// Serving returns how the change came to be served that a revision belongs to; false if it is too long ago, or no sidecar was known then.
func (t *Table) Serving(p changelog.Token) (Serving, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range slices.Backward(t.history.changes) {
		if p.In(c.Position.Epoch) && p.Revision <= c.Position.Revision && p.Revision >= cmp.Or(c.First, c.Position.Revision) {
			return t.serving(c), !c.alone
		}
	}
	return Serving{}, false
}

func (t *Table) serving(c *tracked) Serving {
	s := Serving{Position: c.Position, Served: c.count, Of: len(t.rows), Everywhere: c.everywhere, Sidecars: c.sidecars, After: c.after, Acks: len(c.samples)}
	if len(c.samples) == 0 {
		return s
	}
	sorted := slices.Sorted(slices.Values(c.samples))
	at := func(percent int) time.Duration { return sorted[(len(sorted)*percent+99)/100-1] }
	s.Median, s.P90, s.P99 = at(50), at(90), at(99)
	return s
}
