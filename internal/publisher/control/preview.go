package control

import (
	"context"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
)

// Preview is what a command would do.
type Preview struct {
	Differences []Difference
	Risk        access.Risk
	// Refused is why policies do not permit it to be written at once; nil if they do.
	Refused *Refusal
	// Warnings are slips that would be tolerated.
	Warnings eval.Problems
}

// Preview decides a command and writes nothing. The errors are those of Do, but for what policies say, which is in the Preview.
func (s *Service) Preview(ctx context.Context, o Origin, c Command) (Preview, error) {
	state, err := s.Current(ctx)
	if err == nil {
		err = s.refresh(ctx)
	}
	if err != nil {
		return Preview{}, err
	}
	decision, err := Decide(state, c)
	if err != nil {
		return Preview{}, err
	}
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	k := s.input(o, state).check(s.ledger.governance, decision.Candidate)
	p := Preview{Risk: k.circumstances.Risk, Refused: k.refusedWrite(), Warnings: decision.Warnings()}
	for _, d := range k.documents {
		live, _ := state.Document(d.ID())
		p.Differences = append(p.Differences, Difference{ID: d.ID(), Before: live.Body, After: d.Body})
	}
	return p, nil
}
