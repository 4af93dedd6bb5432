package eval

import (
	"bytes"
	"slices"
	"weak"

	"github.com/flagside/flagside/document"
)

// Prepare is Update of changes that are about to be made. An Update of r with the same documents and revisions returns what Prepare has
// returned, without compiling it again, if something else still refers to it then. Of several preparations the last one counts, for one
// Update.
func (r *Ruleset) Prepare(changes []document.Document) (*Ruleset, Problems) {
	next, problems := r.compile(changes)
	next.madeOf.Store(&madeOf{changes, problems})
	r.prepared.Store(new(weak.Make(next)))
	return next, problems
}

// madeOf is what a prepared Ruleset was made of.
type madeOf struct {
	changes  []document.Document
	problems Problems
}

// taken returns what was prepared for changes; nil if they are others, or were not prepared.
func (r *Ruleset) taken(changes []document.Document) (*Ruleset, Problems) {
	reference := r.prepared.Load()
	if reference == nil {
		return nil, nil
	}
	next := reference.Value()
	if next == nil {
		return nil, nil
	}
	made := next.madeOf.Load()
	if made == nil || !slices.EqualFunc(made.changes, changes, sameChange) || !next.madeOf.CompareAndSwap(made, nil) {
		return nil, nil
	}
	return next, made.problems
}

// sameChange reports whether two changes put the same, or delete the same.
func sameChange(a, b document.Document) bool {
	if a.Kind != b.Kind || a.Key != b.Key || (a.Body == nil) != (b.Body == nil) {
		return false
	}
	return a.Body == nil || a.Revision == b.Revision && bytes.Equal(a.Body, b.Body)
}
