package control

import "context"

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
	return PreviewOf(s.ledger.governance, s.input(o, state), decision), nil
}
