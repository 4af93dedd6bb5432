package cache

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// Invariants of documents, under random edits:
//   - a set holds exactly what was put and not deleted, and counts it;
//   - put returns what was there before;
//   - an edit never changes the set that it began with;
//   - a set is the same however it was made.
func TestDocumentsAgainstMap(t *testing.T) {
	type version struct {
		set   documents
		model map[document.ID]document.Document
	}
	random := rand.New(rand.NewPCG(1, 2))
	kinds := []document.Kind{document.KindFlag, document.KindSegment}
	versions := []version{{set: newDocuments(), model: map[document.ID]document.Document{}}}
	for round := range 60 {
		base := versions[random.IntN(len(versions))]
		next := version{model: maps.Clone(base.model)}
		e := base.set.edit()
		for range random.IntN(200) {
			doc := document.Document{
				Kind: kinds[random.IntN(2)], Key: strconv.Itoa(random.IntN(2000)), Revision: uint64(round),
			}
			if random.IntN(3) > 0 {
				doc.Body = []byte(strconv.Itoa(random.Int()))
			}
			want, existed := next.model[doc.ID()]
			got, found := e.put(doc)
			if found != existed || cmp.Diff(want, got) != "" {
				t.Fatalf("put returned %v, %v, want %v, %v", got, found, want, existed)
			}
			if doc.Body == nil {
				delete(next.model, doc.ID())
			} else {
				next.model[doc.ID()] = doc
			}
		}
		next.set = e.freeze()
		if round%2 == 0 {
			next.set = documentsOf(slices.Collect(next.set.all()))
		}
		versions = append(versions, next)
	}
	for i, v := range versions {
		got := make(map[document.ID]document.Document)
		for doc := range v.set.all() {
			got[doc.ID()] = doc
		}
		if diff := cmp.Diff(v.model, got); diff != "" {
			t.Fatalf("version %d (-want +got):\n%s", i, diff)
		}
		if v.set.count != len(v.model) {
			t.Fatalf("version %d counts %d documents, want %d", i, v.set.count, len(v.model))
		}
		for id := range v.model {
			if _, ok := v.set.get(id); !ok {
				t.Fatalf("version %d does not find %s", i, id)
			}
		}
	}
}

func TestDocumentsAllStops(t *testing.T) {
	e := newDocuments().edit()
	for i := range 10 {
		e.put(flag(strconv.Itoa(i), i))
	}
	seen := 0
	for range e.freeze().all() {
		seen++
		if seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("saw %d documents, want 3", seen)
	}
}

func TestDocumentsOfHoldsEachOnce(t *testing.T) {
	a, b := flag("a", 1), flag("b", 1)
	rule := document.Document{Kind: document.KindSegment, Key: "a", Body: []byte("true")}
	d := documentsOf([]document.Document{a, b, a, rule, b, a})
	if d.count != 3 {
		t.Errorf("%d documents, want 3", d.count)
	}
	for _, doc := range []document.Document{a, b, rule} {
		if got, ok := d.get(doc.ID()); !ok || !same(got, doc) {
			t.Errorf("%s is %v", doc.ID(), got)
		}
	}
}
