package usage

import (
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/flagside/flagside/eval"
)

// series counts the evaluations that have everything in common that is told apart.
type series struct {
	counter

	version
	key    seriesKey
	lumped bool // of all applications, because there was no room for a series of one
}

// version is one version of a flag, and a variant of it. It has all of them that is told of, and refers to nothing of them, so that a flag
// that was replaced is not kept. The zero value is that of what there was no room for.
type version struct {
	generation uint64 // by which it is found
	revision   uint64
	flag       string // the key
	variant    string
}

// maxVariantName is how much of the name of a variant is kept: one more character than reports have.
const maxVariantName = 1<<10 + utf8.UTFMax

// newVersion returns that of a result, without a reference to the flag.
func newVersion(r *eval.Result) version {
	return version{
		generation: r.Flag.Generation(), revision: r.Flag.Revision(), flag: strings.Clone(r.Flag.Key()), variant: strings.Clone(variantName(r)),
	}
}

// variantName returns what is kept of the name of the variant; it is empty if there is none.
func variantName(r *eval.Result) string {
	if r.Variant == nil {
		return ""
	}
	name := r.Variant.Name()
	return name[:min(len(name), maxVariantName)]
}

// is reports whether it is the version of a result: no other flag has the generation. See Counts.
func (v *version) is(r *eval.Result) bool {
	return v.generation == r.Flag.Generation() && v.revision == r.Flag.Revision()
}

// text returns how many bytes the texts have.
func (v *version) text() int { return len(v.flag) + len(v.variant) }

// seriesKey is what series of one flag differ in, in bits: 20 for the variant, 5 for the outcome, 16 for the rule, 16 for the application, and
// one for bulk answers.
type seriesKey uint64

const (
	variantBits = 20
	outcomeBits = 5
	ruleBits    = 16

	outcomeShift     = variantBits
	ruleShift        = outcomeShift + outcomeBits
	applicationShift = ruleShift + ruleBits
	applicationMask  = 1<<16 - 1
	bulkShift        = applicationShift + 16
)

func newSeriesKey(r *eval.Result, o Outcome, a Application, bulk bool) seriesKey {
	variant := 0
	if r.Variant != nil {
		variant = min(r.Variant.Index()+1, 1<<variantBits-1)
	}
	key := seriesKey(variant) | seriesKey(o)<<outcomeShift | seriesKey(r.Rule)<<ruleShift | seriesKey(a)<<applicationShift
	if bulk {
		key |= 1 << bulkShift
	}
	return key
}

// with returns the key for another application.
func (k seriesKey) with(a Application) seriesKey {
	return k&^(applicationMask<<applicationShift) | seriesKey(a)<<applicationShift
}

func (k seriesKey) outcome() Outcome { return Outcome(k >> outcomeShift & (1<<outcomeBits - 1)) }

func (k seriesKey) rule() int { return int(k >> ruleShift & (1<<ruleBits - 1)) }

func (k seriesKey) application() Application {
	return Application(k >> applicationShift & applicationMask)
}

func (k seriesKey) bulk() bool { return k>>bulkShift != 0 }

// table finds series: an open-addressing hash table that only grows. It is read without a lock; who writes holds one.
type table struct {
	slots []atomic.Pointer[series] // a power of two, at most half of them used
	used  int
}

func newTable(room int) *table {
	size := 64
	for size < 2*room {
		size *= 2
	}
	return &table{slots: make([]atomic.Pointer[series], size)}
}

// find returns the series, nil if it is not there.
func (t *table) find(r *eval.Result, key seriesKey) *series {
	for i := t.place(r.Flag.Generation(), key); ; i++ {
		s := t.slots[i&(len(t.slots)-1)].Load()
		if s == nil || s.key == key && s.is(r) {
			return s
		}
	}
}

// full reports whether the table has to grow before the next insertion.
func (t *table) full() bool { return 2*(t.used+1) > len(t.slots) }

// has reports whether the same series is there.
func (t *table) has(same *series) bool {
	for i := t.place(same.generation, same.key); ; i++ {
		s := t.slots[i&(len(t.slots)-1)].Load()
		if s == nil || s.key == same.key && s.version == same.version {
			return s != nil
		}
	}
}

// insert adds a series that is not there.
func (t *table) insert(s *series) {
	for i := t.place(s.generation, s.key); ; i++ {
		slot := &t.slots[i&(len(t.slots)-1)]
		if slot.Load() == nil {
			slot.Store(s)
			t.used++
			return
		}
	}
}

// place returns where to begin to look for a series.
func (t *table) place(generation uint64, key seriesKey) int {
	h := (generation ^ uint64(key)*0x9e3779b97f4a7c15) * 0xc2b2ae3d27d4eb4f
	return int(h >> 32)
}
