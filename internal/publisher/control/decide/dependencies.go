package decide

import (
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// bases returns the revisions of everything that decides what changes mean: the documents that change, all that they depend on before
// and after, and the settings. They are sorted. What documents depend on is what compiling them has found.
func bases(s State, c *Candidate) []requests.Base {
	found := make(map[document.ID]bool)
	var visit func(id document.ID)
	visit = func(id document.ID) {
		if found[id] {
			return
		}
		found[id] = true
		for _, rules := range []*eval.Ruleset{s.Rules(), c.Rules} {
			for _, needed := range rules.Dependencies(id) {
				visit(needed)
			}
		}
	}
	visit(document.ID{Kind: document.KindSettings, Key: document.SettingsKey})
	for _, d := range c.Documents {
		visit(d.ID())
	}
	list := make([]requests.Base, 0, len(found))
	for id := range found {
		live, _ := s.Document(id)
		list = append(list, requests.Base{Kind: id.Kind, Key: id.Key, Revision: live.Revision})
	}
	slices.SortFunc(list, compareBases)
	return list
}

func compareBases(a, b requests.Base) int { return a.ID().Compare(b.ID()) }
