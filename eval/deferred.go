package eval

import (
	"bytes"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/flagside/flagside/document"
)

// Load returns a Ruleset of some documents, as Update makes it of the empty Ruleset r, but leaves most flags to be compiled when they are
// first asked for, or by Finish. Each document is named once. Flags whose keys are in now are compiled at once, and so is what others
// depend on: settings, segments, flags with prerequisites and those prerequisites.
//
// The problems are those of the documents that were compiled. Whatever needs all flags, Problems and Flags for two, finishes the Ruleset
// first, so nothing but time tells it from one that Update has made.
func (r *Ruleset) Load(documents []document.Document, now map[string]bool) (*Ruleset, Problems) {
	if r.Len() > 0 {
		return r.Update(documents)
	}
	u := r.update()
	later := make(map[string]*deferredFlag, len(documents))
	slots := make([]deferredFlag, 0, len(documents)) // never grows, so that its elements stay where they are
	for _, d := range documents {
		if d.Kind == document.KindFlag && d.Body != nil && !now[d.Key] && !mayDepend(d.Body) {
			slots = append(slots, deferredFlag{document: d})
			later[d.Key] = &slots[len(slots)-1]
			continue
		}
		u.collect(d)
	}
	u.applySettings()
	u.applySegments()
	u.compileFlags()
	u.compileReferences(later)
	u.link()
	next, problems := u.finish()
	if len(later) > 0 {
		next.deferred.Store(newDeferred(next, slots, later, u.parser))
	}
	return next, problems
}

// mayDepend reports whether the document of a flag may have prerequisites: a word that is nowhere in it, not even with letters escaped, names no
// member. It looks for a letter that is rare, because every document is searched before the first answer is given.
func mayDepend(body []byte) bool {
	const word, rare = "prerequisites", len("prere")
	for i := 0; i < len(body); i++ {
		next := bytes.IndexByte(body[i:], word[rare])
		if next < 0 {
			break
		}
		if i += next; i >= rare && bytes.HasPrefix(body[i-rare:], []byte(word)) {
			return true
		}
	}
	return escapesLetters(body)
}

// escapesLetters reports whether small letters may be escaped somewhere in a document.
func escapesLetters(body []byte) bool {
	for i := 0; i < len(body); i++ {
		next := bytes.IndexByte(body[i:], '\\')
		if next < 0 {
			return false
		}
		i += next
		if rest := body[i:]; bytes.HasPrefix(rest, []byte(`\u006`)) || bytes.HasPrefix(rest, []byte(`\u007`)) {
			return true
		}
	}
	return false
}

// compileReferences moves the prerequisites of the planned flags from later to the plans. They have none themselves.
func (u *update) compileReferences(later map[string]*deferredFlag) {
	for _, p := range maps.Clone(u.plans) {
		for _, reference := range p.references {
			if slot := later[reference.Flag]; slot != nil {
				slot.early = true
				u.plans[reference.Flag] = u.plan(slot.document)
				delete(later, reference.Flag)
			}
		}
	}
}

// deferred holds the flags of a Ruleset that wait to be compiled. None of them has prerequisites or is one, so each is compiled by itself.
type deferred struct {
	rules *Ruleset
	early *flagStore
	slots map[string]*deferredFlag
	table *newestTable

	mu       sync.Mutex
	all      []deferredFlag // also those that are compiled early after all
	next     int            // the first of all that FinishSome has not looked at
	parser   *parser
	finished bool
	report   map[document.ID]Problems // of the flags that have any
}

// newestTable has the attributes of all flags that are compiled. A flag keeps it, for contexts that were decoded before.
type newestTable struct{ atomic.Pointer[attributeTable] }

// deferredFlag is a flag that is compiled when it is first asked for.
type deferredFlag struct {
	document document.Document
	early    bool // it is compiled with those that depend on it
	compiled atomic.Pointer[Flag]
}

func newDeferred(rules *Ruleset, all []deferredFlag, slots map[string]*deferredFlag, parser *parser) *deferred {
	parser.forgets = true // the rest has no prerequisites, which are read again
	d := &deferred{rules: rules, all: all, early: rules.flags, slots: slots, table: new(newestTable), parser: parser, report: make(map[document.ID]Problems)}
	d.table.Store(rules.attributes)
	return d
}

// flag returns a flag, which it compiles first if need be, nil if there is none.
func (d *deferred) flag(key string) *Flag {
	slot := d.slots[key]
	if slot == nil {
		return d.early.get(key)
	}
	return d.ready(slot)
}

// flagBytes is flag for a key in a byte slice. It does not allocate once the flag is compiled.
func (d *deferred) flagBytes(key []byte) *Flag {
	slot := d.slots[string(key)]
	if slot == nil {
		return d.early.getBytes(key)
	}
	return d.ready(slot)
}

func (d *deferred) ready(slot *deferredFlag) *Flag {
	if f := slot.compiled.Load(); f != nil {
		return f
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compile(slot)
	return slot.compiled.Load()
}

// compile compiles those of some flags that are not compiled yet, with mu held. A flag can be seen once every context that is decoded from
// then on has what it reads.
func (d *deferred) compile(slots ...*deferredFlag) {
	u := &update{
		before:     d.rules,
		next:       d.rules,
		parser:     d.parser,
		attributes: &attributeWriter{table: d.table.Load()},
		flags:      make(map[string]*Flag, len(slots)),
		report:     make(map[document.ID]Problems, len(slots)),
		plans:      make(map[string]*plan, len(slots)),
	}
	for _, slot := range slots {
		if slot.compiled.Load() == nil {
			u.plans[slot.document.Key] = u.plan(slot.document)
		}
	}
	u.link()
	d.table.Store(u.attributes.table)
	for id, problems := range u.report {
		if len(problems) > 0 {
			d.report[id] = problems
		}
	}
	for _, slot := range slots {
		if f := u.flags[slot.document.Key]; f != nil {
			f.slots, f.table = int32(u.attributes.table.slots), d.table // #nosec G115 -- far fewer
			slot.compiled.Store(f)
		}
	}
}

// leastBatch is how many flags FinishSome compiles at least.
const leastBatch = 32

// Finish compiles what Load has left, if anything. It takes about as long as Update would have taken. It is safe for concurrent use, and evaluations
// go on meanwhile.
func (r *Ruleset) Finish() {
	for r.FinishSome() {
	}
}

// FinishSome is a part of Finish that takes about a millisecond, and reports whether there is more to do.
func (r *Ruleset) FinishSome() bool {
	d := r.deferred.Load()
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// A batch copies the table of attributes at most once, so a larger table is worth a larger batch.
	d.compile(d.batch(max(leastBatch, d.table.Load().slots))...)
	if d.next == len(d.all) && !d.finished {
		d.finish()
	}
	return !d.finished
}

// batch returns up to so many of the next flags that are not compiled yet, with mu held.
func (d *deferred) batch(most int) (batch []*deferredFlag) {
	for ; d.next < len(d.all) && len(batch) < most; d.next++ {
		if slot := &d.all[d.next]; !slot.early && slot.compiled.Load() == nil {
			batch = append(batch, slot)
		}
	}
	return batch
}

// finish makes the Ruleset what Update would have made it, once all flags are compiled, with mu held.
func (d *deferred) finish() {
	r, added := d.rules, make(map[string]*Flag, len(d.slots))
	for key, slot := range d.slots {
		added[key] = slot.compiled.Load()
	}
	u := &update{before: r, report: d.report}
	r.dependants = r.dependants.with(d.early, added)
	r.troubled = u.collectTroubled()
	r.attributes = d.table.Load()
	r.flags = d.early.with(added)
	d.finished = true
	r.deferred.Store(nil) // from here on r is read without d
}

// Finished reports whether all flags are compiled, which they are but for a Ruleset that Load has made.
func (r *Ruleset) Finished() bool { return r.deferred.Load() == nil }

// newestAttributes returns the attributes that a context is decoded for.
func (r *Ruleset) newestAttributes() *attributeTable {
	if d := r.deferred.Load(); d != nil {
		return d.table.Load()
	}
	return r.attributes
}
