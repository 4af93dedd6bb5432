package fleet

import (
	"cmp"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// Standing is where a sidecar stands.
type Standing string

// The standings, and why a sidecar does not serve a revision.
const (
	Current  Standing = "current"  // it serves the newest revision
	Behind   Standing = "behind"   // it serves an older one, or another history
	Silent   Standing = "silent"   // it was not heard of for SilentAfter
	Diverged Standing = "diverged" // it serves other documents than there are at its revision
	// Refused means that it could not compile a document that the change has, so it serves an older version of that.
	Refused Standing = "refused"
)

// Standings returns where sidecars can stand.
func Standings() []Standing { return []Standing{Current, Behind, Silent, Diverged} }

// Standings returns how many sidecars stand where.
func (t *Table) Standings(now time.Time) map[Standing]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	counts := make(map[Standing]int)
	for _, r := range t.rows {
		counts[t.history.standing(r, now)]++
	}
	return counts
}

// Sidecar is what is known of one sidecar.
type Sidecar struct {
	Report   status.Report
	Standing Standing
	First    time.Duration // ago, its first report to this publisher
	Last     time.Duration // ago, its last report
}

// Fleet is what is known of all sidecars at one moment.
type Fleet struct {
	Head     changelog.Position
	Sidecars []Sidecar // by namespace, name and boot id
	Gone     []Gone    // lately, the oldest first
	// Complete is false while the fleet may have other sidecars; CompleteIn is how long that takes after a start, at most.
	Complete   bool
	CompleteIn time.Duration
}

// Fleet returns all that is known.
func (t *Table) Fleet(now time.Time) Fleet {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	f := Fleet{Head: t.history.head, Gone: slices.Clone(t.gone), Complete: t.isComplete(now), CompleteIn: max(t.complete.Sub(now), 0)}
	for _, r := range t.rows {
		f.Sidecars = append(f.Sidecars, Sidecar{
			Report: r.report, Standing: t.history.standing(r, now), First: now.Sub(r.first), Last: now.Sub(r.last),
		})
	}
	slices.SortFunc(f.Sidecars, func(a, b Sidecar) int { return compare(a.Report, b.Report) })
	return f
}

func compare(a, b status.Report) int {
	return cmp.Or(cmp.Compare(a.Identity.Namespace, b.Identity.Namespace), cmp.Compare(Name(a.Identity), Name(b.Identity)), cmp.Compare(a.Boot, b.Boot))
}

// Name returns what people call a sidecar: its pod, otherwise its host.
func Name(who status.Identity) string { return cmp.Or(who.Pod, who.Host) }

func (h *history) standing(r *row, now time.Time) Standing {
	switch {
	case r.silent(now):
		return Silent
	case h.diverges(r.report):
		return Diverged
	case !reaches(r.report.Position, h.head):
		return Behind
	default:
		return Current
	}
}

// lack returns why a sidecar does not serve a position, empty if it does. Of a change that is not known any more, every document may be refused.
func (h *history) lack(r status.Report, p changelog.Position) Standing {
	of := concerns{all: true}
	if c := h.find(p); c != nil {
		of = c.concerns
	}
	switch {
	case !reaches(r.Position, p):
		return Behind
	case h.diverges(r):
		return Diverged
	case of.any(r.Refused, r.RefusedKeys):
		return Refused
	default:
		return ""
	}
}

// Straggler is a sidecar that does not serve a revision.
type Straggler struct {
	Sidecar Sidecar
	Why     Standing
}

// Convergence is where a revision is served.
type Convergence struct {
	Position changelog.Position
	// Served is how many of the sidecars that are known serve it, Of how many those are.
	Served, Of int
	Stragglers []Straggler // as in Fleet
	// Lost are those that are gone without a good-bye for LostFor at most, and did not serve it by their last report: at most 100, the oldest first.
	// They are not counted, and may still answer applications.
	Lost []Gone
	// Evaluating is how many clients get the documents from sidecars and evaluate by themselves, by the last reports.
	Evaluating int
	// Complete is false while the fleet may have other sidecars. Nothing has converged then.
	Complete   bool
	CompleteIn time.Duration
	Serving    Serving // zero if the change is too long ago
}

// Converged reports whether so many percent of the sidecars serve the revision. That a fleet has none is no convergence.
func (c Convergence) Converged(percent float64) bool {
	return c.Complete && c.Of > 0 && float64(c.Served)*100 >= float64(c.Of)*percent
}

// Convergence returns where a position is served.
func (t *Table) Convergence(p changelog.Position, now time.Time) Convergence {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	c := Convergence{Position: p, Of: len(t.rows), Complete: t.isComplete(now), CompleteIn: max(t.complete.Sub(now), 0)}
	for _, r := range t.rows {
		c.Evaluating += r.report.Clients[status.FaceSync]
		why := t.history.lack(r.report, p)
		if why == "" {
			c.Served++
			continue
		}
		if r.silent(now) {
			why = Silent
		}
		sidecar := Sidecar{Report: r.report, Standing: t.history.standing(r, now), First: now.Sub(r.first), Last: now.Sub(r.last)}
		c.Stragglers = append(c.Stragglers, Straggler{Sidecar: sidecar, Why: why})
	}
	slices.SortFunc(c.Stragglers, func(a, b Straggler) int { return compare(a.Sidecar.Report, b.Sidecar.Report) })
	for _, l := range t.lost {
		if t.history.lack(l.report, p) != "" {
			c.Lost = append(c.Lost, l.Gone)
		}
	}
	if known := t.history.find(p); known != nil && !known.alone {
		c.Serving = t.serving(known)
	}
	return c
}
