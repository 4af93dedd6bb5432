package health

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Active is a condition that holds now.
type Active struct {
	Condition

	// Since is when the condition began.
	Since time.Time
	// Detail says what exactly is concerned; it may be empty.
	Detail string
}

// Tracker knows which conditions are active. It is safe for concurrent use.
type Tracker struct {
	now        func() time.Time
	conditions map[Code]Condition

	mu     sync.Mutex
	active map[Code]Active // guarded by mu
}

// NewTracker returns a tracker without active conditions. It reads the clock with now, usually time.Now.
func NewTracker(now func() time.Time) *Tracker {
	t := &Tracker{now: now, conditions: make(map[Code]Condition), active: make(map[Code]Active)}
	for _, condition := range Catalogue() {
		t.conditions[condition.Code] = condition
	}
	return t
}

// Set makes the condition active and reports whether it was not before. Of a condition that is active already it replaces the detail
// and keeps the beginning. A code outside the catalogue is taken as a warning without a sentence.
func (t *Tracker) Set(code Code, detail string) (began bool) {
	condition, known := t.conditions[code]
	if !known {
		condition = Condition{Code: code, Severity: SeverityWarning}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before, was := t.active[code]
	since := before.Since
	if !was {
		since = t.now()
	}
	t.active[code] = Active{Condition: condition, Since: since, Detail: detail}
	return !was
}

// Clear ends the condition and reports whether it was active.
func (t *Tracker) Clear(code Code) (ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, was := t.active[code]
	delete(t.active, code)
	return was
}

// Active returns the active conditions, most severe first, then oldest first. The caller owns the slice; it is nil if all is well.
func (t *Tracker) Active() []Active {
	t.mu.Lock()
	var all []Active
	for _, active := range t.active {
		all = append(all, active)
	}
	t.mu.Unlock()
	slices.SortFunc(all, func(a, b Active) int {
		return cmp.Or(
			cmp.Compare(a.Severity.rank(), b.Severity.rank()),
			a.Since.Compare(b.Since),
			cmp.Compare(a.Code, b.Code),
		)
	})
	return all
}

// rank orders severities, most severe first.
func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityCritical, SeverityWarning, SeverityInfo}, s)
}
