package control

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Preview decides a command and writes nothing. The errors are those of Do, but for what policies say, which is in the Preview.
func (s *Service) Preview(ctx context.Context, o decide.Origin, c decide.Command) (decide.Preview, error) {
	state, err := s.Current(ctx)
	if err == nil {
		err = s.refresh(ctx)
	}
	if err != nil {
		return decide.Preview{}, err
	}
	decision, err := decide.Change(state, c)
	if err != nil {
		return decide.Preview{}, err
	}
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return decide.PreviewOf(s.ledger.governance, s.input(o, state), c, decision), nil
}

// MayTake reports whether policies permit a principal a step with a change request as it is, be it to propose, to approve or to apply it. Errors are
// those of Do.
func (s *Service) MayTake(ctx context.Context, o decide.Origin, r requests.Request) (bool, error) {
	state, err := s.Current(ctx)
	if err == nil {
		err = s.refresh(ctx)
	}
	if err != nil {
		return false, err
	}
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return decide.MayTake(s.ledger.governance, s.input(o, state), r), nil
}
