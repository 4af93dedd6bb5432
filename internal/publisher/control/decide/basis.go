package decide

import (
	"bytes"
	"maps"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// basis is the rules that a part of a change is made from. Documents that earlier parts add are compiled when something has to be compiled with
// them, so that a large change which only adds is not compiled once more for each part of it.
type basis struct {
	rules *eval.Ruleset
	added map[document.ID]document.Document // valid, and not among the rules yet
}

// compiled returns the rules with everything that was added.
func (b *basis) compiled() *eval.Ruleset {
	if len(b.added) > 0 {
		b.rules, _, _ = compileInto(b.rules, slices.Collect(maps.Values(b.added)))
		b.added = nil
	}
	return b.rules
}

// add adds documents that are new and need nothing but each other and what there is, and reports whether they are like that. after is the rules with
// these and later documents, in which they are valid. Then they are valid here, too: nothing that they depend on, directly or not, is another one there,
// and nothing here depends on them.
func (b *basis) add(after *eval.Ruleset, documents []document.Document) bool {
	if b.rules.Compatibility() != after.Compatibility() || len(b.rules.Problems()) > 0 {
		return false
	}
	fresh := make(map[document.ID]document.Document, len(documents))
	for _, d := range documents {
		if d.Kind == document.KindSettings || d.Body == nil || b.has(d.ID()) {
			return false
		}
		fresh[d.ID()] = d
	}
	missing := func(id document.ID) bool {
		_, among := fresh[id]
		return !among && !b.same(after, id)
	}
	for _, d := range documents {
		if slices.ContainsFunc(after.Dependencies(d.ID()), missing) {
			return false
		}
	}
	if b.added == nil {
		b.added = fresh
	} else {
		maps.Copy(b.added, fresh)
	}
	return true
}

// same reports whether a document, and all that it depends on, is here as it is in the later rules.
func (b *basis) same(after *eval.Ruleset, id document.ID) bool {
	if _, added := b.added[id]; added {
		return true
	}
	if id.Kind == document.KindSegment { // dependencies name the segments of segments, too
		body, current := b.rules.SegmentDocument(id.Key)
		later, laterCurrent := after.SegmentDocument(id.Key)
		return body != nil && current == laterCurrent && bytes.Equal(body, later)
	}
	f := b.rules.Flag(id.Key)
	return f != nil && f == after.Flag(id.Key) // it would have been compiled again
}

// has reports whether there is a document of the id.
func (b *basis) has(id document.ID) bool {
	if _, added := b.added[id]; added {
		return true
	}
	if id.Kind == document.KindSegment {
		body, _ := b.rules.SegmentDocument(id.Key)
		return body != nil
	}
	return b.rules.Flag(id.Key) != nil
}
