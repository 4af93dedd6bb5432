package decide

import "github.com/flagside/flagside/document"

// Effect is what a command did to one document.
type Effect struct {
	ID   document.ID
	Done EffectType
}

// EffectType says what was done to a document.
type EffectType string

// The types of effects.
const (
	Added   EffectType = "added"
	Changed EffectType = "changed"
	Deleted EffectType = "deleted"
)

// Effects returns what writing documents does to a state.
func Effects(s State, documents []document.Document) []Effect {
	all := make([]Effect, len(documents))
	for i, d := range documents {
		_, exists := s.Document(d.ID())
		switch {
		case d.Body == nil:
			all[i] = Effect{d.ID(), Deleted}
		case exists:
			all[i] = Effect{d.ID(), Changed}
		default:
			all[i] = Effect{d.ID(), Added}
		}
	}
	return all
}
