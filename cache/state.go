package cache

import (
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// state is a set of documents, and where in the history it stands.
type state struct {
	position  changelog.Position
	digest    changelog.Digest
	documents documents
}

// change is what one transaction does to the documents.
type change struct {
	position  changelog.Position   // after it
	documents []changelog.Document // with a nil body: deleted
}

func changeOf(tx changelog.Transaction) change {
	c := change{position: tx.Position(), documents: make([]changelog.Document, 0, len(tx))}
	for i := range tx {
		if tx[i].Kind != changelog.KindEpoch {
			c.documents = append(c.documents, tx[i].Document())
		}
	}
	return c
}

// draft is a state in the making. It belongs to one goroutine.
type draft struct {
	position  changelog.Position
	digest    changelog.Digest
	documents *edit
}

func newDraft(s state) *draft {
	return &draft{position: s.position, digest: s.digest, documents: s.documents.edit()}
}

func emptyState() state { return state{documents: newDocuments()} }

// put stores a document, or deletes it when its body is nil.
func (d *draft) put(doc changelog.Document) {
	before, existed := d.documents.put(doc)
	if existed {
		d.digest = d.digest.Toggle(before)
	}
	if doc.Body != nil {
		d.digest = d.digest.Toggle(doc)
	}
}

func (d *draft) apply(changes []change) {
	for _, c := range changes {
		for _, doc := range c.documents {
			d.put(doc)
		}
		d.position = c.position
	}
}

func (d *draft) freeze() state {
	return state{position: d.position, digest: d.digest, documents: d.documents.freeze()}
}

// difference returns the documents that turn s into next.
func (s state) difference(next state) []changelog.Document {
	var changed []changelog.Document
	for doc := range next.documents.all() {
		if before, ok := s.documents.get(doc.ID()); !ok || !same(before, doc) {
			changed = append(changed, doc)
		}
	}
	for doc := range s.documents.all() {
		if _, ok := next.documents.get(doc.ID()); !ok {
			changed = append(changed, changelog.Document{Kind: doc.Kind, Key: doc.Key})
		}
	}
	return changed
}

func same(a, b changelog.Document) bool {
	return a.Revision == b.Revision && string(a.Body) == string(b.Body)
}

// latest returns the last document of each id in changes.
func latest(changes []change) []changelog.Document {
	if len(changes) == 1 {
		return changes[0].documents
	}
	last := make(map[changelog.ID]int)
	var documents []changelog.Document
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

func evalDocuments(documents []changelog.Document) []eval.Document {
	converted := make([]eval.Document, len(documents))
	for i, d := range documents {
		converted[i] = eval.Document{Kind: eval.Kind(d.Kind), Key: d.Key, Revision: d.Revision, Body: d.Body}
	}
	return converted
}
