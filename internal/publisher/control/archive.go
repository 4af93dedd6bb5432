package control

import (
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Archive removes one document like Delete. Forced, it takes those that depend on it along, however indirectly, in the same transaction;
// each of them has to be permitted.
type Archive struct {
	ID    document.ID
	Force bool
	If    Precondition
}

func (a Archive) decide(s State) (Decision, error) {
	remove := Delete{ID: a.ID, If: a.If}
	decision, err := remove.decide(s)
	if refusal, refused := err.(*Refusal); !a.Force || !refused || refusal.Cause != CauseInUse { //nolint:errorlint // decide wraps none
		return decision, err
	}
	changes := []document.Document{{Kind: a.ID.Kind, Key: a.ID.Key}}
	removed := map[document.ID]bool{a.ID: true}
	for {
		_, problems, warnings := candidate(s.Rules(), changes)
		if len(problems) == 0 {
			return Decision{Parts: [][]document.Document{changes}, Warnings: warnings}, nil
		}
		before := len(changes)
		for _, p := range problems {
			id := p.ID()
			if _, exists := s.Document(id); exists && !removed[id] && id.Kind != document.KindSettings {
				removed[id] = true
				changes = append(changes, document.Document{Kind: id.Kind, Key: id.Key})
			}
		}
		if len(changes) == before || len(changes) > changelog.MaxEntries {
			return Decision{}, inUse(a.ID, problems)
		}
	}
}
