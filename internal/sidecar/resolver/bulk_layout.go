package resolver

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// layout is in which order the items of bulk answers stand, for one ruleset, form and selection. Items that are the same in every answer are
// encoded in advance, and others once they were needed. It is safe for concurrent use.
type layout struct {
	parts   []part
	settled []*eval.Flag // of all runs
	tally   tally        // of settled
	groups  sync.Map     // of settled, *usage.Group by usage.Application
	grouped atomic.Int64 // how many groups there are
}

// part is a run of settled flags or, if it has a flag, one that has to be evaluated.
type part struct {
	run   []byte // the items of the run, with commas between them
	marks []byte // of the items of the run, one after the other

	flag       *eval.Flag
	mayBeStale bool
	items      itemList
}

// maxKeptItem is how long an item may be, in bytes, to be kept: longer ones are little faster to copy than to encode.
const maxKeptItem = 1 << 10

// newLayout encodes what is settled.
func newLayout(rules *eval.Ruleset, s *Selector, e BulkEncoder) *layout {
	l := &layout{}
	var encoded []byte
	var result eval.Result
	run := -1 // the part to which a settled flag is added, if it is not negative
	for _, flag := range rules.Flags() {
		if !s.Selects(flag) {
			continue
		}
		encoded = encoded[:0]
		mayBeStale := demandOf(flag).mayBeStale()
		var ok bool
		result, ok = flag.Settled()
		if ok = ok && !mayBeStale; ok {
			encoded = e.AppendItem(encoded, &result)
		}
		if !ok || len(encoded) > maxKeptItem {
			run = -1
			l.parts = append(l.parts, part{flag: flag, mayBeStale: mayBeStale})
			continue
		}
		if run < 0 {
			run = len(l.parts)
			l.parts = append(l.parts, part{})
		}
		l.parts[run].add(encoded)
		l.settled = append(l.settled, flag)
		l.tally[usage.OutcomeOf(&result)]++
	}
	return l
}

// add adds an item to a run.
func (p *part) add(encoded []byte) {
	if len(p.run) > 0 {
		p.run = append(p.run, ',')
	}
	p.run = append(p.run, encoded...)
	mark := markOf(encoded)
	p.marks = append(p.marks, mark[:]...)
}

// maxGrouped bounds for how many flags, all applications together, the groups of a layout count. Applications name themselves.
const maxGrouped = 512 << 10

// group returns that of the evaluations of all settled flags, as they are counted for an application; nil for one application too many.
func (l *layout) group(counts *usage.Counts, a usage.Application) *usage.Group {
	if g, ok := l.groups.Load(a); ok {
		return g.(*usage.Group)
	}
	if n := l.grouped.Add(1); n > 1 && n*int64(len(l.settled)) > maxGrouped {
		l.grouped.Add(-1)
		return nil
	}
	g, there := l.groups.LoadOrStore(a, counts.Group(l.results(), a))
	if there {
		l.grouped.Add(-1)
	}
	return g.(*usage.Group)
}

// results returns the answers of all settled flags.
func (l *layout) results() iter.Seq[eval.Result] {
	return func(yield func(eval.Result) bool) {
		for _, flag := range l.settled {
			if r, _ := flag.Settled(); !yield(r) {
				return
			}
		}
	}
}

// layouts are those of the newest ruleset that bulk answers were made from. It is not modified.
type layouts struct {
	generation uint64
	byQuestion map[layoutKey]*layout
}

// layoutKey is what layouts of one ruleset differ in.
type layoutKey struct {
	form     string
	selected bool
	set      string // if selected
}

// maxLayouts is how many layouts are kept at most. Answers about other flag sets are encoded item by item.
const maxLayouts = 32

// layout returns the layout of the answer to q, nil if there is none: q is pinned, or what it waited for did not come, so that
// anything may be stale; its ruleset is not the newest; it asks for no flags or one flag set too many; or another request is making a layout.
func (q *BulkRequest) layout(e BulkEncoder) *layout {
	if q.pin.newest != nil || q.fresh && q.freshness.failed {
		return nil
	}
	r := q.resolver
	known := r.layouts.Load()
	if known != nil && known.generation == q.rules.Generation() {
		l := known.byQuestion[layoutKey{e.Form(), q.selector.active, string(q.selector.set)}]
		if l != nil || len(known.byQuestion) >= maxLayouts {
			return l
		}
	}
	return r.newLayout(q.rules, &q.selector, e)
}

// newLayout makes a layout and keeps it. It returns nil if another is being made, so that no request waits for that of another, or if the ruleset is not
// the newest any more.
func (r *Resolver) newLayout(rules *eval.Ruleset, s *Selector, e BulkEncoder) *layout {
	if !r.layoutsMu.TryLock() {
		return nil
	}
	defer r.layoutsMu.Unlock()
	next := layouts{generation: rules.Generation(), byQuestion: make(map[layoutKey]*layout)}
	if known := r.layouts.Load(); known != nil {
		if known.generation > next.generation {
			return nil
		}
		if known.generation == next.generation {
			maps.Copy(next.byQuestion, known.byQuestion)
		}
	}
	key := layoutKey{form: e.Form(), selected: s.active, set: string(s.set)}
	if l := next.byQuestion[key]; l != nil || len(next.byQuestion) >= maxLayouts {
		return l
	}
	l := newLayout(rules, s, e)
	if len(l.parts) > 0 {
		next.byQuestion[key] = l
		r.layouts.Store(&next)
	}
	return l
}

// itemList has the encodings of the answers of one flag that were needed, newest first. Its zero value is empty. It is safe for concurrent use.
type itemList struct{ first atomic.Pointer[item] }

// item is an answer of a flag that is encoded.
type item struct {
	variant *eval.Variant
	reason  eval.Reason
	outcome usage.Outcome
	encoded []byte
	mark    mark
	place   usage.Place
	next    *item
	older   int // how many follow
}

// maxItems is how many answers of a flag are kept.
const maxItems = 16

// find returns the item of a result that its flag gave by itself, nil if it is not there.
func (l *itemList) find(r *eval.Result) *item {
	i := l.first.Load()
	for i != nil && (i.variant != r.Variant || i.reason != r.Reason) {
		i = i.next
	}
	return i
}

// keep keeps the encoding of a result that find did not find, unless there is no room for it or another was quicker.
func (l *itemList) keep(r *eval.Result, o usage.Outcome, encoded []byte, m mark) {
	if len(encoded) > maxKeptItem || l.find(r) != nil {
		return
	}
	first, older := l.first.Load(), 0
	if first != nil {
		older = first.older + 1
	}
	if older < maxItems {
		l.first.CompareAndSwap(first, &item{
			variant: r.Variant, reason: r.Reason, outcome: o, encoded: slices.Clone(encoded), mark: m, next: first, older: older,
		})
	}
}

// keepable reports whether a result is told from others of its flag by reason and variant: it is no error, and its metadata are those of the flag.
func keepable(r *eval.Result) bool {
	own := r.Flag.Metadata()
	return r.ErrorCode == "" && len(own) == len(r.Metadata) && len(own) > 0 && &own[0] == &r.Metadata[0]
}
