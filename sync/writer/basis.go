package writer

import (
	"maps"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Basis is what a change is decided on: the documents at one position of the log.
// It must not change.
type Basis interface {
	Position() changelog.Position
	// State returns the state that the documents add up to.
	State() changelog.State
	// Document returns a live document.
	Document(id document.ID) (document.Document, bool)
}

// After returns the basis that a transaction, appended after b, leads to.
func After(b Basis, tx changelog.Transaction) Basis {
	o := newOverlay(b)
	for _, r := range tx {
		o.apply(r.Entry)
	}
	o.position, o.state = tx.Position(), o.edit.State()
	return o
}

// overlay is a basis with documents that were changed after it.
type overlay struct {
	below    Basis
	position changelog.Position
	state    changelog.State
	changed  map[document.ID]document.Document // with a nil body: deleted

	edit *changelog.StateEdit
}

func newOverlay(b Basis) *overlay {
	o := &overlay{below: b, edit: b.State().Edit(), changed: make(map[document.ID]document.Document)}
	if over, ok := b.(*overlay); ok { // so that many parts do not make a long list
		o.below, o.changed = over.below, maps.Clone(over.changed)
	}
	return o
}

// apply does what an entry says.
func (o *overlay) apply(e changelog.Entry) {
	if e.Kind == document.KindEpoch {
		o.below, o.edit = noBasis{}, changelog.State{}.Edit()
		clear(o.changed)
		return
	}
	id := e.ID()
	if before, ok := o.Document(id); ok {
		o.edit.Remove(before)
	}
	d := document.Document{Kind: e.Kind, Key: e.Key, Revision: e.Revision, Body: e.Put}
	o.changed[id] = d
	if !e.Delete {
		o.edit.Add(d)
	}
}

// Position implements [Basis].
func (o *overlay) Position() changelog.Position { return o.position }

// State implements [Basis].
func (o *overlay) State() changelog.State { return o.state }

// Document implements [Basis].
func (o *overlay) Document(id document.ID) (document.Document, bool) {
	if d, ok := o.changed[id]; ok {
		return d, d.Body != nil
	}
	return o.below.Document(id)
}

// noBasis has no documents and stands at a position.
type noBasis struct{ at changelog.Position }

// Position implements [Basis].
func (b noBasis) Position() changelog.Position { return b.at }

// State implements [Basis].
func (noBasis) State() changelog.State { return changelog.State{} }

// Document implements [Basis].
func (noBasis) Document(document.ID) (document.Document, bool) { return document.Document{}, false }
