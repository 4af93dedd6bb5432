package decide

import (
	"slices"

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
	if !a.Force {
		return Delete{ID: a.ID, If: a.If}.decide(s)
	}
	candidate, err := Delete{ID: a.ID, If: a.If}.compile(s)
	if err != nil {
		return Decision{}, err
	}
	for len(candidate.Problems) > 0 {
		more := broken(s, candidate)
		changes := slices.Concat(candidate.Documents, more)
		if len(more) == 0 || len(changes) > changelog.MaxEntries {
			return Decision{}, inUse(a.ID, candidate.Problems)
		}
		candidate = Compile(s, changes)
	}
	return candidate.decision(), nil
}

// broken returns the deletions of the documents that have problems and are not deleted yet.
func broken(s State, c *Candidate) []document.Document {
	removed := make(map[document.ID]bool, len(c.Documents))
	for _, d := range c.Documents {
		removed[d.ID()] = true
	}
	var more []document.Document
	for _, p := range c.Problems {
		id := p.ID()
		if _, exists := s.Document(id); exists && !removed[id] && id.Kind != document.KindSettings {
			removed[id] = true
			more = append(more, document.Document{Kind: id.Kind, Key: id.Key})
		}
	}
	return more
}
