package control

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// identified returns the origin with the id of who asks. A person without one gets it only if decide, which records nothing, refuses
// nothing: what people without permission ask for leaves no trace of who they are.
func (s *Service) identified(ctx context.Context, o decide.Origin, decide func(*requests.Governance, decide.DecisionInput) error) (decide.Origin, error) {
	if o.By() != access.Unregistered || s.options.Access == nil {
		return o, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	state, err := s.Current(ctx)
	if err == nil {
		err = s.refresh(ctx)
	}
	if err != nil {
		return o, err
	}
	_, _, err = s.ledger.decide(func(g *requests.Governance) (requests.Event, error) {
		return requests.Event{}, decide(g, s.input(o, state))
	})
	if err != nil {
		return o, err
	}
	o.Principal, err = s.options.Access.Identify(ctx, o.Principal)
	return o, err
}
