package usage

import (
	"sync"
	"sync/atomic"

	"github.com/flagside/flagside/eval"
)

// Room for series. Those without an application have some of their own.
const (
	maxSeries       = 32 << 10
	maxLumpedSeries = 8 << 10
	firstRoom       = 256
	// maxText is how many bytes the names of flags and variants have in series, and those without an application have as much more.
	maxText = 4 << 20
)

// Counts counts evaluations. Create it with New. Nil counts nothing. A version of a flag is recognised by its generation and revision, so all
// rulesets have to be made from the same eval.New, as those of one sidecar are.
type Counts struct {
	table        atomic.Pointer[table]   // replaced when series are given up, and to grow
	others       [2][OutcomeCount]series // what there was no room for, of single and of bulk answers
	applications *applications
	unknown      *unknownKeys
	unchanged    atomic.Uint64 // see Unchanged
	reporters    reporters

	mu     sync.Mutex // guards what follows, and writes to the table
	kept   []*series
	groups []*Group
	lumped int // how many of kept are
	text   int // bytes of the names in kept
}

// New returns Counts for a sidecar. application is the name of the one that the sidecar is for; it may be empty.
func New(application string) *Counts {
	c := &Counts{applications: newApplications(application), unknown: newUnknownKeys()}
	c.table.Store(newTable(firstRoom))
	for bulk := range c.others {
		for o := range c.others[bulk] {
			s := &c.others[bulk][o]
			s.key = newSeriesKey(&eval.Result{}, Outcome(o), otherApplication, bulk == 1)
			s.counter.kept.Store(true)
		}
	}
	return c
}

// Application returns the application with a name, as requests give it; the one that the sidecar is for if name is empty.
func (c *Counts) Application(name []byte) Application {
	if c == nil {
		return 0
	}
	return c.applications.named(name)
}

// Evaluation counts an evaluation that a single flag was asked for. The flag of the result must not be nil.
func (c *Counts) Evaluation(r *eval.Result, o Outcome, a Application) {
	if c != nil {
		c.add(c.seriesOf(r, o, a, false), 1)
	}
}

// NotFound counts a request for a flag that does not exist.
func (c *Counts) NotFound(key []byte) {
	if c != nil {
		c.unknown.add(key)
	}
}

// Unchanged counts an answer for all flags that the client had already, where it is not known any more which flags those were.
func (c *Counts) Unchanged() {
	if c != nil {
		c.unchanged.Add(1)
	}
}

// add counts in a series, and makes sure that it will be collected.
func (c *Counts) add(s *series, n uint64) {
	if !s.add(n) {
		c.keep(s)
	}
}

// seriesOf returns where a result is counted.
func (c *Counts) seriesOf(r *eval.Result, o Outcome, a Application, bulk bool) *series {
	key := newSeriesKey(r, o, a, bulk)
	if s := c.table.Load().find(r, key); s != nil {
		return s
	}
	return c.newSeries(r, key)
}

// newSeries returns a series that was not there a moment ago, or another where there is no room for it.
func (c *Counts) newSeries(r *eval.Result, key seriesKey) *series {
	v := newVersion(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.table.Load()
	if s := t.find(r, key); s != nil {
		return s
	}
	if len(c.kept)-c.lumped < maxSeries && c.text+v.text() <= maxText {
		return c.insert(&series{version: v, key: key})
	}
	return c.lumpedSeries(r, v, key.with(otherApplication))
}

// lumpedSeries returns a series that says less. c.mu is held.
func (c *Counts) lumpedSeries(r *eval.Result, v version, key seriesKey) *series {
	if s := c.table.Load().find(r, key); s != nil {
		return s
	}
	if c.lumped < maxLumpedSeries && c.text+v.text() <= 2*maxText {
		return c.insert(&series{version: v, key: key, lumped: true})
	}
	if key.bulk() {
		return &c.others[1][key.outcome()]
	}
	return &c.others[0][key.outcome()]
}

// insert adds a series to the table. c.mu is held.
func (c *Counts) insert(s *series) *series {
	c.take(s)
	if c.table.Load().full() {
		c.rebuild() // which has s
		return s
	}
	c.table.Load().insert(s)
	return s
}

// rebuild replaces the table by one with the series that are kept, and room for as many. c.mu is held.
func (c *Counts) rebuild() {
	t := newTable(max(firstRoom, 2*len(c.kept)))
	for _, s := range c.kept {
		if !t.has(s) {
			t.insert(s)
		}
	}
	c.table.Store(t)
}

// keep makes a series be collected that was given up while something was counted in it. There may be two of the same now, which are one for
// who reads them.
func (c *Counts) keep(s *series) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepLocked(s)
}

func (c *Counts) keepLocked(s *series) {
	if !s.counter.kept.Load() {
		c.take(s)
	}
}

// take makes a series be collected from now on. c.mu is held.
func (c *Counts) take(s *series) {
	s.counter.kept.Store(true)
	c.kept = append(c.kept, s)
	c.text += s.text()
	if s.lumped {
		c.lumped++
	}
}

// release takes account of a series that is collected no longer. c.mu is held.
func (c *Counts) release(s *series) {
	c.text -= s.text()
	if s.lumped {
		c.lumped--
	}
}
