package usage

import (
	"sync/atomic"

	"github.com/flagside/flagside/eval"
)

// series counts the evaluations that have everything in common that is told apart.
type series struct {
	counter

	flag    *eval.Flag // one version of a flag; nil in those of what there was no room for
	variant *eval.Variant
	key     seriesKey
	lumped  bool // of all applications, because there was no room for a series of one
}

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
func (t *table) find(flag *eval.Flag, key seriesKey) *series {
	for i := t.place(flag, key); ; i++ {
		s := t.slots[i&(len(t.slots)-1)].Load()
		if s == nil || s.flag == flag && s.key == key {
			return s
		}
	}
}

// full reports whether the table has to grow before the next insertion.
func (t *table) full() bool { return 2*(t.used+1) > len(t.slots) }

// insert adds a series that is not there.
func (t *table) insert(s *series) {
	for i := t.place(s.flag, s.key); ; i++ {
		slot := &t.slots[i&(len(t.slots)-1)]
		if slot.Load() == nil {
			slot.Store(s)
			t.used++
			return
		}
	}
}

// place returns where to begin to look for a series. Generations differ unless flags come from rulesets that have nothing to do with each
// other, which costs time and nothing else.
func (t *table) place(flag *eval.Flag, key seriesKey) int {
	h := (flag.Generation() ^ uint64(key)*0x9e3779b97f4a7c15) * 0xc2b2ae3d27d4eb4f
	return int(h >> 32)
}
