package control

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/control/decide"
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
