package cache

import (
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// state is a set of documents, and where in the history it stands.
type state struct {
	head      changelog.Head // the place in the history, and what proves the state there
	hashes    changelog.State
	documents documents
}

// prove returns why the state is not one that a publisher of the installation
// signed.
func (s state) prove(keys *changelog.Keyring, environment string) error {
	if digest := s.hashes.Digest(); digest != s.head.State {
		return fmt.Errorf("%w: at revision %d the documents have state digest %s, %s was signed",
			changelog.ErrUnproved, s.head.Revision, digest, s.head.State)
	}
	if err := keys.VerifyHead(environment, s.head); err != nil {
		return fmt.Errorf("%w: revision %d: %w", changelog.ErrUnproved, s.head.Revision, err)
	}
	return nil
}

// change is what one transaction does to the documents.
type change struct {
	head      changelog.Head      // after it
	documents []document.Document // with a nil body: deleted
}

func changeOf(tx changelog.Transaction) change {
	c := change{head: tx.Head(), documents: make([]document.Document, 0, len(tx))}
	for i := range tx {
		if tx[i].Kind != document.KindEpoch {
			c.documents = append(c.documents, tx[i].Document())
		}
	}
	return c
}

// draft is a state in the making. It belongs to one goroutine.
type draft struct {
	head      changelog.Head
	hashes    *changelog.StateEdit
	documents *edit
}

func newDraft(s state) *draft {
	return &draft{head: s.head, hashes: s.hashes.Edit(), documents: s.documents.edit()}
}

func emptyState() state { return state{documents: newDocuments()} }

// put stores a document, or deletes it when its body is nil.
func (d *draft) put(doc document.Document) {
	before, existed := d.documents.put(doc)
	if existed {
		d.hashes.Remove(before)
	}
	if doc.Body != nil {
		d.hashes.Add(doc)
	}
}

func (d *draft) apply(changes []change) {
	for _, c := range changes {
		for _, doc := range c.documents {
			d.put(doc)
		}
		d.head = c.head
	}
}

// freezeHashes returns the hashes so far. The draft can be edited on.
func (d *draft) freezeHashes() changelog.State {
	frozen := d.hashes.State()
	d.hashes = frozen.Edit()
	return frozen
}

func (d *draft) freeze() state {
	return state{head: d.head, hashes: d.hashes.State(), documents: d.documents.freeze()}
}

// difference returns the documents that turn s into next.
func (s state) difference(next state) []document.Document {
	var changed []document.Document
	for doc := range next.documents.all() {
		if before, ok := s.documents.get(doc.ID()); !ok || !same(before, doc) {
			changed = append(changed, doc)
		}
	}
	for doc := range s.documents.all() {
		if _, ok := next.documents.get(doc.ID()); !ok {
			changed = append(changed, document.Document{Kind: doc.Kind, Key: doc.Key})
		}
	}
	return changed
}

func same(a, b document.Document) bool {
	return a.Revision == b.Revision && string(a.Body) == string(b.Body)
}

// latest returns the last document of each id in changes.
func latest(changes []change) []document.Document {
	if len(changes) == 1 {
		return changes[0].documents
	}
	last := make(map[document.ID]int)
	var documents []document.Document
	for _, c := range changes {
		for _, doc := range c.documents {
			i, seen := last[doc.ID()]
			if !seen {
				i = len(documents)
				last[doc.ID()] = i
				documents = append(documents, doc)
			}
			documents[i] = doc
		}
	}
	return documents
}
