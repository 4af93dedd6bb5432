package usage

import (
	"slices"
	"unsafe"

	"github.com/flagside/flagside/eval"
)

// Bulk counts the evaluations of one bulk answer while it is made. The zero value is ready for Begin, and it may be used again.
type Bulk struct {
	counts      *Counts
	application Application
	series      []*series
}

// maxKeptSeries bounds the memory that a Bulk keeps for the next answer.
const maxKeptSeries = 1 << 10

// Begin begins an answer to an application.
func (b *Bulk) Begin(c *Counts, a Application) {
	b.counts, b.application, b.series = c, a, b.series[:0]
}

// Evaluation counts one evaluation of the answer. The flag of the result must not be nil.
func (b *Bulk) Evaluation(r *eval.Result, o Outcome) {
	if b.counts == nil {
		return
	}
	s := b.counts.seriesOf(r, o, b.application, true)
	b.counts.add(s, 1)
	b.series = append(b.series, s)
}

// End lets go of everything that b refers to.
func (b *Bulk) End() {
	clear(b.series)
	b.counts, b.series = nil, b.series[:0]
	if cap(b.series) > maxKeptSeries {
		b.series = nil
	}
}

// Remember returns what counts the same evaluations again for an answer that is given from memory.
func (b *Bulk) Remember() *Remembered { return &Remembered{series: slices.Clone(b.series)} }

// Remembered are the evaluations of a bulk answer that is in memory. Its method is safe for concurrent use.
type Remembered struct {
	counter

	series []*series
}

// Size returns how many bytes it takes.
func (m *Remembered) Size() int {
	return int(unsafe.Sizeof(*m)) + len(m.series)*int(unsafe.Sizeof(m.series[0]))
}

// Again counts the evaluations of an answer once more.
func (c *Counts) Again(m *Remembered) {
	if c == nil || m.add(1) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.counter.kept.Load() {
		m.counter.kept.Store(true)
		c.bulks = append(c.bulks, m)
	}
}
