package control

import (
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// Base is what a change was made from: a document and the revision that it had, 0 if it did not exist.
type Base struct {
	Kind     document.Kind `json:"kind"`
	Key      string        `json:"key"`
	Revision uint64        `json:"revision"`
}

func (b Base) id() document.ID { return document.ID{Kind: b.Kind, Key: b.Key} }

// bases returns the revisions of everything that decides what changes mean: the documents that change, all that they depend on before
// and after, and the settings. They are sorted. What documents depend on is what compiling them has found.
func bases(s State, changes []document.Document) []Base {
	before := s.Rules()
	after, _, _ := candidate(before, changes)
	found := make(map[document.ID]bool)
	var visit func(id document.ID)
	visit = func(id document.ID) {
		if found[id] {
			return
		}
		found[id] = true
		for _, rules := range []*eval.Ruleset{before, after} {
			for _, needed := range rules.Dependencies(id) {
				visit(needed)
			}
		}
	}
	visit(document.ID{Kind: document.KindSettings, Key: document.SettingsKey})
	for _, c := range changes {
		visit(c.ID())
	}
	list := make([]Base, 0, len(found))
	for id := range found {
		live, _ := s.Document(id)
		list = append(list, Base{Kind: id.Kind, Key: id.Key, Revision: live.Revision})
	}
	slices.SortFunc(list, compareBases)
	return list
}

func compareBases(a, b Base) int { return a.id().Compare(b.id()) }

// moved returns those bases that are no longer what they were, as they are now.
func moved(s State, list []Base) []Base {
	var now []Base
	for _, b := range list {
		if live, _ := s.Document(b.id()); live.Revision != b.Revision {
			now = append(now, Base{Kind: b.Kind, Key: b.Key, Revision: live.Revision})
		}
	}
	return now
}
