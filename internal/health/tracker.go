package health

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Active is a condition that holds now.
type Active struct {
	Condition

	// Since is when the condition began.
	Since time.Time
	// Detail says what exactly is concerned; it may be empty.
	Detail string
}

// Changes are the conditions that began and that ended, each most severe first, then oldest first.
type Changes struct {
	Began, Ended []Active
	at           time.Time
}

// Log writes one line for each: what a condition that began means, at the level of its severity, and how long one lasted that ended.
func (c Changes) Log(logger zerolog.Logger) {
	for _, began := range c.Began {
		logger.WithLevel(began.Severity.level()).Str("condition", string(began.Code)).Str("meaning", began.Sentence).Str("detail", began.Detail).Msg("condition began")
	}
	for _, ended := range c.Ended {
		after := c.at.Sub(ended.Since).Round(time.Millisecond)
		logger.Info().Str("condition", string(ended.Code)).Stringer("after", after).Msg("condition ended")
	}
}

// Tracker knows which conditions are active. It is safe for concurrent use.
type Tracker struct {
	now        func() time.Time
	conditions map[Code]Condition

	mu     sync.Mutex
	active map[Code]owned // guarded by mu
}

// owned is an active condition of a source.
type owned struct {
	Active

	source string
}

// NewTracker returns a tracker without active conditions. It reads the clock with now, usually time.Now.
func NewTracker(now func() time.Time) *Tracker {
	t := &Tracker{now: now, conditions: make(map[Code]Condition), active: make(map[Code]owned)}
	for _, condition := range Catalogue() {
		t.conditions[condition.Code] = condition
	}
	return t
}

// Reconcile makes those conditions of a source active that hold now, by code with a detail each, which may be empty, and ends its others.
// One that is active already keeps its beginning and gets the new detail. Sources have different codes. A code outside the catalogue is taken as a
// warning without a sentence.
func (t *Tracker) Reconcile(source string, holding map[Code]string) Changes {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Changes{at: t.now()}
	for code, before := range t.active {
		if _, holds := holding[code]; !holds && before.source == source {
			delete(t.active, code)
			c.Ended = append(c.Ended, before.Active)
		}
	}
	for code, detail := range holding {
		now := Active{Condition: t.condition(code), Since: c.at, Detail: detail}
		if before, was := t.active[code]; was {
			now.Since = before.Since
		} else {
			c.Began = append(c.Began, now)
		}
		t.active[code] = owned{now, source}
	}
	slices.SortFunc(c.Began, compare)
	slices.SortFunc(c.Ended, compare)
	return c
}

func (t *Tracker) condition(code Code) Condition {
	if known, ok := t.conditions[code]; ok {
		return known
	}
	return Condition{Code: code, Severity: SeverityWarning}
}

// Active returns the active conditions, most severe first, then oldest first. The caller owns the slice; it is nil if all is well.
func (t *Tracker) Active() []Active {
	t.mu.Lock()
	var all []Active
	for _, active := range t.active {
		all = append(all, active.Active)
	}
	t.mu.Unlock()
	slices.SortFunc(all, compare)
	return all
}

// compare orders conditions, most severe first, then oldest first.
func compare(a, b Active) int {
	return cmp.Or(
		cmp.Compare(a.Severity.rank(), b.Severity.rank()),
		a.Since.Compare(b.Since),
		cmp.Compare(a.Code, b.Code),
	)
}

// rank orders severities, most severe first.
func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityCritical, SeverityWarning, SeverityInfo}, s)
}

// level returns the level at which the beginning of a condition is logged.
func (s Severity) level() zerolog.Level {
	switch s {
	case SeverityCritical:
		return zerolog.ErrorLevel
	case SeverityInfo:
		return zerolog.InfoLevel
	default:
		return zerolog.WarnLevel
	}
}
