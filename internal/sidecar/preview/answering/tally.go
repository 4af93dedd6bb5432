package answering

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/flagside/flagside/eval"
	wire "github.com/flagside/flagside/sync/preview"
)

// tally counts what would come of the evaluations of one flag.
type tally struct {
	before, after *eval.Flag // after is nil for a flag that would be gone

	total        float64 // evaluations that all samples stand for
	seen         float64 // of them, those of samples that were looked at
	samples      int     // looked at
	changes      map[change]*cell
	errorsBefore cell
	errorsAfter  cell
}

type change struct{ from, to string }

// cell is a number of samples and of the evaluations that they stand for.
type cell struct {
	samples int
	weight  float64
}

func (c *cell) add(weight float64) {
	c.samples++
	c.weight += weight
}

// add counts the two answers to one sample.
func (t *tally) add(before, after *eval.Result, weight float64) {
	t.samples++
	t.seen += weight
	if before.ErrorCode != "" {
		t.errorsBefore.add(weight)
	}
	if after.ErrorCode != "" {
		t.errorsAfter.add(weight)
	}
	if sameAnswer(before, after) {
		return
	}
	c := change{variantOf(before), variantOf(after)}
	if t.changes[c] == nil && len(t.changes) >= wire.MaxChanges-1 {
		c = change{wire.OtherVariants, wire.OtherVariants}
	}
	if t.changes[c] == nil {
		t.changes[c] = new(cell)
	}
	t.changes[c].add(weight)
}

// sameAnswer reports whether an application would notice no difference. Of errors it sees the code.
func sameAnswer(a, b *eval.Result) bool {
	return a.ErrorCode == b.ErrorCode && variantOf(a) == variantOf(b) && bytes.Equal(a.Value(), b.Value())
}

func variantOf(r *eval.Result) string {
	if r.Variant == nil {
		return ""
	}
	return r.Variant.Name()
}

// flag returns the counts as they are told.
func (t *tally) flag(random *rand.Rand) wire.Flag {
	f := wire.Flag{Key: t.before.Key(), Evaluations: count(t.total), Samples: t.samples}
	if t.samples < wire.MinSamples {
		return f
	}
	scale := t.total / t.seen
	for c, n := range t.changes {
		if told := n.rounded(random); told > 0 {
			f.Changes = append(f.Changes, wire.Change{From: c.from, To: c.to, N: count(told * scale)})
		}
	}
	slices.SortFunc(f.Changes, func(a, b wire.Change) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	f.ErrorsBefore, f.ErrorsAfter = count(t.errorsBefore.rounded(random)*scale), count(t.errorsAfter.rounded(random)*scale)
	f.Fails = t.errorsAfter.samples > 0
	return f
}

// rounded returns the weight of a cell. A few samples become the least number that is told or none, at random, so that they are right on average.
func (c *cell) rounded(random *rand.Rand) float64 {
	if c.samples >= wire.MinCount || c.samples == 0 {
		return c.weight
	}
	if random.IntN(wire.MinCount) >= c.samples {
		return 0
	}
	return c.weight * wire.MinCount / float64(c.samples)
}

func count(n float64) uint64 { return uint64(min(math.Round(n), wire.MaxCount/wire.MaxChanges)) }
