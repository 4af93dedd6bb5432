package decide

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// Transfer makes documents what they are elsewhere: in another environment, or at an earlier revision. Like a Replace it is divided
// when it is too large for one transaction, and one that was interrupted is completed by repeating it.
type Transfer struct {
	// Changes are the wanted documents. Those with a nil Body are deleted.
	Changes []document.Document
	// Bases are the revisions that the author has seen, in the epoch. A document that moved is refused unless it is as wanted already.
	Epoch changelog.Epoch
	Bases []requests.Base
	// Source names what the transfer was derived from, so that deriving it again with an idempotency key is the same command, although the
	// changes that are left to make may be others. Empty means that the changes themselves tell.
	Source string

	compiled *Candidate // what was compiled of it already; nil if nothing was
}

// Difference is a document that a Transfer changes; nil is none.
type Difference struct {
	ID            document.ID
	Before, After []byte
}

// Promote returns the transfer that makes documents of one environment what they are in another, with all that they depend on there. Of
// these documents, one that is not in the source is deleted; what they depend on is added and changed only.
func Promote(source, target State, ids []document.ID) Transfer {
	wanted := make(map[document.ID]document.Document)
	var want func(id document.ID)
	want = func(id document.ID) {
		if _, ok := wanted[id]; ok {
			return
		}
		d, exists := source.Document(id)
		if !exists && !slices.Contains(ids, id) {
			return
		}
		wanted[id] = document.Document{Kind: id.Kind, Key: id.Key, Body: d.Body}
		for _, needed := range source.Rules().Dependencies(id) {
			want(needed)
		}
	}
	for _, id := range ids {
		want(id)
	}
	return NewTransfer(target, wanted)
}

// hereOwned returns what a document of elsewhere becomes in a state. A source that publishers follow owns what it owns now and here alone, so the owner
// stays the one that the document has.
func hereOwned(target State, d document.Document) []byte {
	live, _ := target.Document(d.ID())
	owner := ownership.Owner(live.Body)
	if d.Body == nil || !ownership.Reserved(owner) && !ownership.Reserved(ownership.Owner(d.Body)) {
		return d.Body
	}
	return ownership.Marked(d.Body, owner)
}

// NewTransfer returns the transfer of the documents, without those that the target has already.
func NewTransfer(target State, wanted map[document.ID]document.Document) Transfer {
	t := Transfer{Epoch: target.Position().Epoch}
	for _, id := range slices.SortedFunc(maps.Keys(wanted), document.ID.Compare) {
		live, exists := target.Document(id)
		d := wanted[id]
		if d.Body = hereOwned(target, d); d.Body == nil && !exists || d.Body != nil && exists && bytes.Equal(live.Body, d.Body) {
			continue
		}
		t.Changes = append(t.Changes, document.Document{Kind: id.Kind, Key: id.Key, Body: d.Body})
		t.Bases = append(t.Bases, requests.Base{Kind: id.Kind, Key: id.Key, Revision: live.Revision})
	}
	return t
}

// compile compiles the transfer, so that deciding it in the same state does not.
func (t Transfer) compile(s State) Transfer {
	t.compiled = Compile(s, t.Changes)
	return t
}

// Differences returns what the transfer changes in a state.
func (t Transfer) Differences(s State) []Difference {
	var list []Difference
	for _, d := range t.missing(s) {
		live, _ := s.Document(d.ID())
		list = append(list, Difference{ID: d.ID(), Before: live.Body, After: d.Body})
	}
	return list
}

// missing returns the changes that a state does not have yet.
func (t Transfer) missing(s State) []document.Document {
	var list []document.Document
	for _, d := range t.Changes {
		live, exists := s.Document(d.ID())
		if d.Body == nil && exists || d.Body != nil && !(exists && bytes.Equal(live.Body, d.Body)) {
			list = append(list, d)
		}
	}
	return list
}

func (t Transfer) decide(s State) (Decision, error) {
	if err := t.check(s); err != nil {
		return Decision{}, err
	}
	missing := t.missing(s)
	if len(missing) == 0 {
		return Decision{}, nil
	}
	return t.compiled.Or(s, missing).divided(s)
}

// check refuses what its author has not seen as it is.
func (t Transfer) check(s State) error {
	if s.Position().Epoch != t.Epoch {
		return &Refusal{Cause: CausePreconditionFailed, Detail: "The environment was restored or recreated meanwhile: read it again and repeat the change."}
	}
	seen := make(map[document.ID]bool, len(t.Changes))
	for _, d := range t.Changes {
		if d.Body == nil { // a deletion has no more to be looked at than its name
			d.Body = []byte("null")
		}
		if err := acceptable(d.ID(), d.Body, seen[d.ID()]); err != nil {
			return err
		}
		seen[d.ID()] = true
	}
	missing := make(map[document.ID]bool)
	for _, d := range t.missing(s) {
		missing[d.ID()] = true
	}
	for _, b := range moved(s, t.Bases) {
		if missing[b.ID()] {
			return &Refusal{
				Cause: CausePreconditionFailed, Moved: moved(s, t.Bases),
				Detail: fmt.Sprintf("The %s %q was changed since: look at it again.", b.Kind, b.Key),
			}
		}
	}
	return nil
}
