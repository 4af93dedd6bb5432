package cache

import (
	"slices"

	"github.com/flagside/flagside/sync/changelog"
)

// maxPastBytes bounds what Views before the current one keep in memory that it does
// not: the documents that have changed since, and what was compiled from them.
const maxPastBytes = 8 << 20

// What a View takes that another one has followed, in bytes: its own lists, a copy
// of each shard that was changed, by the number of entries in it, and of each flag
// that became another what is compiled, beside a multiple of its document.
const (
	viewSize       = 32 << 10
	entrySize      = 160
	compiledFixed  = 2 << 10
	compiledFactor = 2
)

// past holds the last Views before the current one, each of another revision of the
// same history. It is immutable.
type past struct {
	views []pastView // oldest first
	bytes int
}

// pastView is a View with how much memory it takes beside those after it.
type pastView struct {
	view  *View
	bytes int
}

// At returns the View that shows exactly one revision, nil if that is not kept: it is
// too old or too new, it is one of another epoch, or the log never was complete
// there.
func (s *Store) At(t changelog.Token) *View {
	if v := s.view.Load(); v == nil || shows(v, t) {
		return v
	}
	for _, p := range s.past.Load().views {
		if shows(p.view, t) {
			return p.view
		}
	}
	return nil
}

func shows(v *View, t changelog.Token) bool {
	at := v.Position()
	return at.Revision == t.Revision && t.In(at.Epoch)
}

// keep returns p with a View that is not the current one any more, and without those
// that are too many.
func (p *past) keep(v *View, bytes, most int) *past {
	next := &past{views: append(slices.Clip(p.views), pastView{v, bytes}), bytes: p.bytes + bytes}
	for len(next.views) > most || next.bytes > maxPastBytes {
		next.bytes -= next.views[0].bytes
		next.views = next.views[1:]
	}
	return next
}

// replacedBytes returns how much memory a View takes when changes have made next of
// it: flags that depend on what was changed are others, too.
func (v *View) replacedBytes(next *View, changes []change) int {
	bytes := viewSize
	for _, d := range latest(changes) {
		bytes += entrySize * (1 + v.Count()/shardCount)
		if before, ok := v.state.documents.get(d.ID()); ok {
			bytes += len(before.Body)
		}
	}
	for before := range next.rules.Difference(v.rules) {
		if before != nil {
			bytes += compiledFixed + compiledFactor*len(before.Document())
		}
	}
	return bytes
}
