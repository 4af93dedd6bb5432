package control

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// TakeUp records that a version of a source counts from now on, unless that is recorded already, or another publisher has taken up one that came later.
// It returns what was decided, and the version that counts then.
func (s *Service) TakeUp(ctx context.Context, o decide.Origin, v decide.SeenVersion) (verdict decide.Verdict, counts requests.SourceVersion, err error) {
	if err := s.validate(o); err != nil {
		return 0, counts, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	_, err = s.decideAndRecord(ctx, func(g *requests.Governance, state decide.State) (e requests.Event, err error) {
		e, verdict = v.Event(g, s.input(o, state))
		return e, nil
	})
	return verdict, s.Versions(v.Name).Newest(), err
}

// Versions returns the versions of a source that were taken up, as far as is known here.
func (s *Service) Versions(source string) requests.Versions {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Versions(source)
}
