package control

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/access"
)

// identified returns the origin with the id of who asks. A person without one gets it only if decide, which records nothing, refuses
// nothing: what unauthenticated callers ask for in vain leaves no trace of who they are.
func (s *Service) identified(ctx context.Context, o Origin, decide func(*Governance, World) error) (Origin, error) {
	if o.actor() != access.Unregistered || s.options.Identify == nil {
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
	_, _, err = s.ledger.decide(func(g *Governance) (Event, error) { return Event{}, decide(g, s.world(o, state)) })
	if err != nil {
		return o, err
	}
	o.Principal, err = s.options.Identify(ctx, o.Principal)
	return o, err
}

// writable returns why a command cannot be carried out at once.
func writable(g *Governance, w World, c Command) error {
	decision, err := Decide(w.State, c)
	if err != nil {
		return err
	}
	if refusal := permit(g, w, decision); refusal != nil {
		return refusal
	}
	return nil
}

// gone reports whether an id is of a person who may be here again by another one.
func (w World) gone(id string) bool { return w.Gone != nil && w.Gone(id) }
