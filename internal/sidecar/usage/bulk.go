package usage

import (
	"iter"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/flagside/flagside/eval"
)

// Bulk counts the evaluations of one bulk answer while it is made. The zero value is ready for Begin, and it may be used again.
type Bulk struct {
	counts      *Counts
	application Application
	series      []*series
	settled     *Group // what Settled counted; nil if that was not called
}

// maxKeptSeries bounds the memory that a Bulk keeps for the next answer.
const maxKeptSeries = 1 << 10

// Begin begins an answer to an application.
func (b *Bulk) Begin(c *Counts, a Application) {
	b.counts, b.application, b.series, b.settled = c, a, b.series[:0], nil
}

// Evaluation counts one evaluation of the answer. The flag of the result must not be nil.
func (b *Bulk) Evaluation(r *eval.Result, o Outcome) {
	if b.counts != nil {
		b.count(b.counts.seriesOf(r, o, b.application, true))
	}
}

// EvaluationAt is Evaluation for an answer of a flag that has a place of its own.
func (b *Bulk) EvaluationAt(p *Place, r *eval.Result, o Outcome) {
	if b.counts == nil {
		return
	}
	s := p.last.Load()
	if s == nil || s.key != newSeriesKey(r, o, b.application, true) {
		s = b.counts.seriesOf(r, o, b.application, true)
		p.last.Store(s)
	}
	b.count(s)
}

func (b *Bulk) count(s *series) {
	b.counts.add(s, 1)
	b.series = append(b.series, s)
}

// Settled counts the evaluations of a group, all at once. It is called once for an answer at most, for a group of the application.
func (b *Bulk) Settled(g *Group) {
	b.counts.Again(g)
	b.settled = g
}

// End lets go of everything that b refers to.
func (b *Bulk) End() {
	clear(b.series)
	b.counts, b.series, b.settled = nil, b.series[:0], nil
	if cap(b.series) > maxKeptSeries {
		b.series = nil
	}
}

// Remember returns what counts the same evaluations again for an answer that is given from memory.
func (b *Bulk) Remember() *Group {
	g := &Group{series: slices.Clone(b.series)}
	if b.settled != nil {
		g.settled = b.settled.series
	}
	return g
}

// Place is where evaluations with one answer of one version of a flag were counted last, so that the next need not look for it. The zero value
// is ready to use. It is safe for concurrent use.
type Place struct{ last atomic.Pointer[series] }

// Group is a group of evaluations that are counted together, as often as all of them are made: those of an answer that is in memory, or of flags
// that are settled. Counts.Again is safe for concurrent use.
type Group struct {
	counter

	series  []*series
	settled []*series // those of another group, which are in this one, too
}

// Group returns the group of the evaluations that bulk answers to an application have. It counts nothing.
func (c *Counts) Group(results iter.Seq[eval.Result], a Application) *Group {
	g := &Group{}
	if c == nil {
		return g
	}
	for r := range results {
		g.series = append(g.series, c.seriesOf(&r, OutcomeOf(&r), a, true))
	}
	return g
}

// Size returns how many bytes it takes, with what it may be the last to refer to.
func (g *Group) Size() int {
	return int(unsafe.Sizeof(*g)) + (len(g.series)+len(g.settled))*int(unsafe.Sizeof(g.series[0]))
}

// Again counts the evaluations of a group once more.
func (c *Counts) Again(g *Group) {
	if c == nil || g.add(1) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !g.counter.kept.Load() {
		g.counter.kept.Store(true)
		c.groups = append(c.groups, g)
	}
}
