package decide

import (
	"iter"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// State is an environment at one position of its log. It is immutable.
type State interface {
	Position() changelog.Position
	// State returns what the state digest is made of.
	State() changelog.State
	// Document returns a live document.
	Document(id document.ID) (document.Document, bool)
	// Documents returns all live documents but the keys note, in any order.
	Documents() iter.Seq[document.Document]
	// Rules returns the documents, compiled.
	Rules() *eval.Ruleset
}

// WithoutKeys returns s without the keys note among its documents: only publishers themselves change that, not by commands.
func WithoutKeys(s State) State { return withoutKeys{s} }

// known is a state under a name that it has no method of.
type known = State

type withoutKeys struct{ known }

// Documents implements State.
func (s withoutKeys) Documents() iter.Seq[document.Document] {
	return func(yield func(document.Document) bool) {
		for d := range s.known.Documents() {
			if d.Kind != document.KindKeys && !yield(d) {
				return
			}
		}
	}
}

// Nothing returns the state of an environment of which nothing is known.
func Nothing() State { return nothing{eval.New()} }

type nothing struct{ rules *eval.Ruleset }

// Position implements State.
func (nothing) Position() changelog.Position { return changelog.Position{} }

// State implements State.
func (nothing) State() changelog.State { return changelog.State{} }

// Document implements State.
func (nothing) Document(document.ID) (d document.Document, exists bool) { return d, false }

// Documents implements State.
func (nothing) Documents() iter.Seq[document.Document] {
	return func(func(document.Document) bool) {}
}

// Rules implements State.
func (n nothing) Rules() *eval.Ruleset { return n.rules }

// Token names the revision of a document within the history of s.
func Token(s State, d document.Document) changelog.Token {
	return changelog.Token{Epoch: s.Position().Epoch.Short(), Revision: d.Revision}
}
