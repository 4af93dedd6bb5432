package decide

import (
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// Delete removes one document.
type Delete struct {
	ID document.ID
	If Precondition
}

func (d Delete) decide(s State) (Decision, error) {
	candidate, err := d.compile(s)
	if err != nil {
		return Decision{}, err
	}
	if len(candidate.Problems) > 0 {
		return Decision{}, inUse(d.ID, candidate.Problems)
	}
	return candidate.decision(), nil
}

// compile returns what is left without the document.
func (d Delete) compile(s State) (*Candidate, error) {
	live, exists := s.Document(d.ID)
	if !exists {
		return nil, NotFound(d.ID)
	}
	if err := d.If.check(s, d.ID, live, exists); err != nil {
		return nil, err
	}
	return Compile(s, []document.Document{{Kind: d.ID.Kind, Key: d.ID.Key}}), nil
}

func inUse(id document.ID, problems eval.Problems) *Refusal {
	return &Refusal{
		Cause:    CauseInUse,
		Detail:   fmt.Sprintf("Others depend on %s %q: change or delete them first.", id.Kind, id.Key),
		Problems: problems,
	}
}
