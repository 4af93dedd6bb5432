// Package fleet keeps what sidecars report, in memory: which of them serve which revision of one environment, since when, and which of
// them were not heard of for long. It is pure: time is an argument, on the monotonic clock of one process, and no clock of a sidecar is
// compared with it.
//
// Everything here is a claim of those who hold the credentials of the environment.
//
// # Concurrency properties
//
// A Table is safe for concurrent use.
package fleet

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

const (
	// SilentAfter is how long a sidecar may be unheard of: three reports, each a fifth late.
	SilentAfter = 36 * time.Second
	// GoneAfter is after how long without a report a sidecar is no longer one of the fleet.
	GoneAfter = 5 * time.Minute
	// Rebuilding is how long reports are gathered after they may have been missed, before the table counts as complete: longer than the longest
	// pause between two reports.
	Rebuilding = 15 * time.Second
	// MaxSidecars is how many sidecars a table holds: at about 1 KB each, and at most 4 KB.
	MaxSidecars = 20_000
	// acknowledging is about how many sidecars of a large fleet acknowledge each revision.
	acknowledging = 1000
	// maxUpMs bounds how long a process is believed to have run: a century.
	maxUpMs = 100 * 366 * 24 * 60 * 60 * 1000
	// maxGone is how many sidecars are remembered that are gone, and of those that said no good-bye once more so many.
	maxGone = 100
	// LostFor is how long a sidecar is remembered that said no good-bye.
	LostFor = time.Hour
)

// Table is the fleet of one environment. Create it with New.
type Table struct {
	options Options

	mu       sync.Mutex // guards everything that follows
	rows     map[string]*row
	gone     []Gone    // the last that went, the oldest first
	lost     []lost    // the last that went without a good-bye, the oldest first
	complete time.Time // from when on the table knows the fleet
	// When a sidecar was last turned away, and when one last had to make room, because the table was full.
	full, displaced time.Time
	swept           time.Time
	skewed          time.Time // since when sidecars of several versions run; zero if they do not
	wrong           Wrong     // at the last look
	history         history
	counts          Counts
	changed         chan struct{} // closed when anything changes, if anyone waits
}

// row is one sidecar.
type row struct {
	report status.Report // of its last whole report; kind and number are those of the last report
	first  time.Time     // report
	began  time.Time     // by how long its process had run, as it said at first; zero before
	last   time.Time
	// diverged is whether it serves other documents than there are at its revision.
	diverged bool
	behind   time.Time // since when it serves an older revision than the newest, as far as that was looked at; zero if it does not
}

// Gone is a sidecar that is no longer one of the fleet.
type Gone struct {
	Boot     string
	Identity status.Identity
	Position changelog.Position
	Heard    time.Time // when it reported last
	At       time.Time
	// Why is why it is gone.
	Why Departure
}

// Departure is why a sidecar is gone.
type Departure string

// The departures.
const (
	SaidGoodBye Departure = "good-bye"  // its process has ended in order
	Replaced    Departure = "replaced"  // another process reports for the same pod, and this one no longer
	Unheard     Departure = "unheard"   // no report for GoneAfter
	Displaced   Departure = "displaced" // it was silent, and the table needed the room
)

// Counts are numbers that only grow.
type Counts struct {
	Reports   map[status.Kind]uint64
	Refused   uint64 // messages that are no reports
	Displaced uint64 // silent sidecars that were dropped to make room
	TurnedOff uint64 // reports of new sidecars for which there was no room
}

// Options say how a table is kept.
type Options struct {
	// Gathering is for how long reports are gathered after they may have been missed, before the table counts as complete: Rebuilding for a
	// fleet that reports as often as it should.
	Gathering time.Duration
	// Measure is told how long after its commit a change was acknowledged, for each acknowledgement. It must not wait; nil is nothing.
	Measure func(time.Duration)
	// Everywhere is told of each change that every sidecar serves, and when it was committed. It must not wait, and not ask the table; nil is
	// nothing.
	Everywhere func(s Serving, committed time.Time)
}

// New returns an empty table.
func New(o Options, now time.Time) *Table {
	if o.Measure == nil {
		o.Measure = func(time.Duration) {}
	}
	if o.Everywhere == nil {
		o.Everywhere = func(Serving, time.Time) {}
	}
	return &Table{
		rows: make(map[string]*row), options: o, complete: now.Add(o.Gathering), counts: Counts{Reports: make(map[status.Kind]uint64)},
	}
}

// Rebuild notes that reports may have been missed: until they were gathered again, the table is not complete.
func (t *Table) Rebuild(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.complete = now.Add(t.options.Gathering)
	t.tell()
}

// Refuse counts a message that is no report.
func (t *Table) Refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Refused++
}

// Counts returns the numbers as they are now.
func (t *Table) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := t.counts
	counts.Reports = maps.Clone(t.counts.Reports)
	return counts
}

// Observe takes a report that arrived at a time.
func (t *Table) Observe(r status.Report, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Reports[r.Kind]++
	t.sweep(now)
	known := t.rows[r.Boot]
	if known == nil { // it may have come back
		t.lost = slices.DeleteFunc(t.lost, func(l lost) bool { return l.report.Boot == r.Boot })
	}
	switch {
	case known != nil && r.N <= known.report.N: // it came late, or again
		return
	case r.Kind == status.KindBye:
		t.leave(known, SaidGoodBye, now)
	case known == nil && !t.makeRoom(now):
		t.counts.TurnedOff++
		t.full = now
	default:
		t.update(known, r, now)
	}
	t.tell()
}

// update takes a report of a sidecar that is in the table or is to be. Most change nothing of what is served, and cost no more than that is seen.
func (t *Table) update(known *row, r status.Report, now time.Time) {
	if known == nil {
		known = &row{first: now, report: status.Report{Boot: r.Boot}} // who it is comes with a whole report
		t.rows[r.Boot] = known
	}
	next := r
	if r.Kind == status.KindAck { // who it is stands in the last whole report, and nothing is refused any more
		next = known.report
		next.Kind, next.N, next.Position, next.State, next.Refused, next.RefusedKeys = r.Kind, r.N, r.Position, r.State, 0, nil
	}
	if known.began.IsZero() && r.Kind == status.KindState {
		known.began = now.Add(-time.Duration(min(r.UpMs, maxUpMs)) * time.Millisecond)
	}
	known.last = now
	if sameServed(known.report, next) {
		known.report = next
		return
	}
	before := known.report.Position
	t.history.blame(known, -1)
	known.report = next
	known.diverged = t.history.diverges(next)
	t.history.served(before, next, now, t.options.Measure)
	t.history.blame(known, 1)
	t.converge(now)
}

// sameServed reports whether two reports say the same of what is served.
func sameServed(a, b status.Report) bool {
	return a.Position == b.Position && a.State == b.State && a.Refused == b.Refused && slices.Equal(a.RefusedKeys, b.RefusedKeys)
}

func (t *Table) leave(r *row, why Departure, now time.Time) {
	if r == nil {
		return
	}
	delete(t.rows, r.report.Boot)
	t.history.blame(r, -1)
	t.history.left(r.report.Position, now)
	if len(t.gone) == maxGone {
		t.gone = slices.Delete(t.gone, 0, 1)
	}
	g := Gone{Boot: r.report.Boot, Identity: r.report.Identity, Position: r.report.Position, Heard: r.last, At: now, Why: why}
	t.gone = append(t.gone, g)
	if why != SaidGoodBye {
		t.lose(lost{Gone: g, report: r.report})
	}
	t.converge(now)
}

// sweepInterval is how often those are looked for that are gone.
const sweepInterval = time.Second

// sweep has those go that were not heard of for long, and those whose pod has another process now.
func (t *Table) sweep(now time.Time) {
	if now.Sub(t.swept) < sweepInterval {
		return
	}
	t.swept = now
	newest := make(map[pod]time.Time)
	for _, r := range t.rows {
		if in := podOf(r); in.name != "" && r.began.After(newest[in]) && now.Sub(r.first) > Rebuilding {
			newest[in] = r.began
		}
	}
	for _, r := range t.rows {
		switch {
		case now.Sub(r.last) > GoneAfter:
			t.leave(r, Unheard, now)
		case r.last.Before(newest[podOf(r)]): // which has begun since it was last heard of; and it would have reported meanwhile
			t.leave(r, Replaced, now)
		}
	}
	t.gone = slices.DeleteFunc(t.gone, func(g Gone) bool { return now.Sub(g.At) > GoneAfter })
	t.lost = slices.DeleteFunc(t.lost, func(l lost) bool { return now.Sub(l.At) > LostFor })
}

// lost is a sidecar that is gone without a good-bye. It may be cut off, and answer applications as before.
type lost struct {
	Gone

	report status.Report // its last
}

// lose remembers a sidecar that is gone without a good-bye. If there are many, those are forgotten first whose pod has another process: most of
// them are dead.
func (t *Table) lose(l lost) {
	if len(t.lost) == maxGone {
		first := max(0, slices.IndexFunc(t.lost, func(l lost) bool { return l.Why == Replaced }))
		t.lost = slices.Delete(t.lost, first, first+1)
	}
	t.lost = append(t.lost, l)
}

// pod is where at most one process runs at a time, as a rule.
type pod struct{ namespace, name string }

func podOf(r *row) pod {
	return pod{namespace: r.report.Identity.Namespace, name: r.report.Identity.Pod}
}

// makeRoom reports whether there is room for another sidecar: the silent one that was not heard of for longest makes room if need be.
func (t *Table) makeRoom(now time.Time) bool {
	if len(t.rows) < MaxSidecars {
		return true
	}
	if now.Sub(t.full) < sweepInterval { // those who are silent were looked for just now
		return false
	}
	var oldest *row
	for _, r := range t.rows {
		if r.silent(now) && (oldest == nil || r.last.Before(oldest.last)) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	t.counts.Displaced++
	t.displaced = now
	t.leave(oldest, Displaced, now)
	return true
}

func (r *row) silent(now time.Time) bool { return now.Sub(r.last) > SilentAfter }

// Share returns which share of the fleet is to acknowledge revisions: everyone in a fleet of up to a thousand, and about a thousand in a larger
// one. A fleet that is not known yet counts as small.
func (t *Table) Share() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) <= acknowledging {
		return status.WholeShare
	}
	return uint32(status.WholeShare * acknowledging / len(t.rows))
}

// Complete returns how long it takes until the table knows the fleet; 0 if it does. It never does while it is too small for the fleet.
func (t *Table) Complete(now time.Time) (in time.Duration, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.complete.Sub(now), 0), t.isComplete(now)
}

func (t *Table) isComplete(now time.Time) bool { return !t.overflows(now) && !now.Before(t.complete) }

// overflows reports whether the fleet has lately been larger than the table.
func (t *Table) overflows(now time.Time) bool {
	recent := func(at time.Time) bool { return !at.IsZero() && now.Sub(at) <= GoneAfter }
	return recent(t.full) || recent(t.displaced)
}

// Changed returns a channel that is closed when anything changes. Take it before anything is asked, so that nothing is missed.
func (t *Table) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

// tell wakes those who wait for a change.
func (t *Table) tell() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}
