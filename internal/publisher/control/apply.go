package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Risk returns what is risky in the environment.
func (s *Service) Risk(ctx context.Context) (RiskSettings, error) {
	if err := s.refresh(ctx); err != nil {
		return RiskSettings{}, err
	}
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Risk(), nil
}

// Govern carries out a command about change requests and returns the request as it is then. The errors are those of Do; a stale request
// is a *Refusal with what has moved.
func (s *Service) Govern(ctx context.Context, o Origin, c RequestCommand) (Request, error) {
	if s.options.ReadOnly != "" && !o.Owner {
		return Request{}, &Refusal{Cause: CauseReadOnly, Detail: s.options.ReadOnly}
	}
	if s.options.Journal == nil {
		return Request{}, errNoLedger
	}
	if err := o.Validate(); err != nil {
		return Request{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	o, err := s.identifiedFor(ctx, o, c)
	if err != nil {
		s.noteRefused(ctx, o, err)
		return Request{}, err
	}
	e, err := s.decideAndRecord(ctx, func(g *Governance, state State) (Event, error) {
		return DecideRequest(g, s.world(o, state), c)
	})
	s.noteRefused(ctx, o, err)
	if err != nil {
		return Request{}, err
	}
	r, ok := s.known(e.Request)
	if !ok {
		return r, nil // it was about no request
	}
	return s.afterwards(ctx, r), nil
}

// identifiedFor is identified for a command about change requests.
func (s *Service) identifiedFor(ctx context.Context, o Origin, c RequestCommand) (Origin, error) {
	return s.identified(ctx, o, func(g *Governance, w World) error {
		_, err := DecideRequest(g, w, c)
		return err
	})
}

// Open opens a change request. With a key in the origin, repeating it returns the request that was opened.
func (s *Service) Open(ctx context.Context, o Origin, p Proposing) (Request, error) {
	if o.Key == "" {
		return s.Govern(ctx, o, OpenRequest{ID: rand.Text(), Proposing: p})
	}
	o, err := s.identifiedFor(ctx, o, OpenRequest{ID: rand.Text(), Proposing: p})
	if err != nil {
		s.noteRefused(ctx, o, err)
		return Request{}, err
	}
	id := fingerprint(o.actor() + "\x00" + o.Key)
	if r, err := s.Request(ctx, id); err == nil {
		return r, r.repeats(p)
	}
	r, err := s.Govern(ctx, o, OpenRequest{ID: id, Proposing: p})
	if known, ok := s.known(id); err != nil && ok { // another one with the key was faster
		return known, known.repeats(p)
	}
	return r, err
}

// repeats refuses an idempotency key that has opened the request r if it cannot be used for p.
func (r Request) repeats(p Proposing) error {
	switch {
	case r.Command != p.print():
		return &Refusal{Cause: CauseKeyReused, Detail: "The idempotency key was used for something else: choose another one.", Request: r.ID}
	case time.Since(r.Opened) > KeyLifetime:
		return &Refusal{Cause: CauseKeyExpired, Detail: "The idempotency key was used too long ago: choose another one.", Request: r.ID}
	}
	return nil
}

// Apply applies a change request and returns when the state shows it. Repeating it goes on where it was interrupted. The request that
// is returned tells whether it was applied, or has to be rebased because something came between.
func (s *Service) Apply(ctx context.Context, o Origin, id string) (Request, error) {
	r, err := s.find(ctx, id)
	if err != nil {
		return r, err
	}
	if r.Status != Claimed && r.Status != Applied {
		if err := s.catchUp(ctx); err != nil {
			return r, err
		}
		if r, err = s.Govern(ctx, o, ClaimRequest{Request: id}); err != nil {
			return r, err
		}
	}
	if r.Status != Claimed {
		return s.afterwards(ctx, r), nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	return s.finish(ctx, id)
}

// catchUp makes sure that approvals are counted by what is known of their principals now, and not a second ago.
func (s *Service) catchUp(ctx context.Context) error {
	if s.options.CatchUp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if err := s.options.CatchUp(ctx); err != nil {
		return fmt.Errorf("%w: who has approved: %w", ErrUnconfirmed, err)
	}
	return nil
}

// finish brings a claimed request to its end, no matter who has claimed it.
func (s *Service) finish(ctx context.Context, id string) (Request, error) {
	release, err := s.hold(ctx)
	if err != nil {
		return Request{}, err
	}
	defer release()
	for {
		r, err := s.find(ctx, id)
		if err != nil {
			return r, err
		}
		if r.Status != Claimed {
			return s.afterwards(ctx, r), nil
		}
		if err := s.step(ctx, r); err != nil {
			return r, err
		}
	}
}

// step concludes what became of a claimed request, appending its change if that is still to be done.
func (s *Service) step(ctx context.Context, r Request) error {
	log, err := s.options.Log(ctx)
	if err != nil {
		return err
	}
	state, err := s.Current(ctx)
	if err != nil {
		return err
	}
	found, err := search(ctx, log, r, state.Position())
	if err != nil {
		return err
	}
	e := Conclude(state, r, found)
	if e.Type == "" {
		outcome, err := s.appendRequest(ctx, log, state, r)
		if err != nil || outcome.State == writer.Lost {
			return err
		}
		e = Event{Type: EventApplied, Request: r.ID, Position: &outcome.Position}
		// The change is in the log whether or not it is seen here in time.
		_ = s.options.Follower.Wait(ctx, outcome.Position.Revision)
	}
	e.At = time.Now().UTC()
	recorded, err := s.decideAndRecord(ctx, func(g *Governance, _ State) (Event, error) {
		if now, _ := g.Request(r.ID); now.Status != Claimed || now.Claim.At != r.Claim.At {
			return Event{}, nil // another publisher was faster
		}
		return e, nil
	})
	if recorded.Type == EventApplied && r.Proposal.BreakGlass && err == nil {
		s.options.BrokeGlass(r)
	}
	return err
}

// search looks for a claimed request in the log, from its claim up to a position.
func search(ctx context.Context, log Log, r Request, to changelog.Position) (Finding, error) {
	var found Finding
	from := r.Claim.Position
	if from.Epoch != to.Epoch { // a log that was restored or recreated may have it anywhere
		from = changelog.Position{}
	}
	if from.Revision >= to.Revision {
		return found, nil
	}
	for entry, err := range log.Read(ctx, from, to.Revision) {
		if err != nil {
			return found, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
		}
		found.add(r, entry)
	}
	return found, nil
}

// appendRequest appends the change of a request under the id of the request. Anyone who tries the same at the same place, or finds it in
// the log, knows it by that.
func (s *Service) appendRequest(ctx context.Context, log Log, basis writer.Basis, r Request) (writer.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return writer.Outcome{}, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	outcome, err := log.Append(ctx, basis, writer.Change{
		OpID: r.ID, Actor: r.Claim.By, Approvers: r.Claim.Approvers, Reason: r.Reason, Request: r.ID, Time: time.Now(),
		Documents: r.Proposal.documents(),
	})
	if outcome.State != 0 {
		s.options.Appended(outcome.State)
		s.operations.note(r.ID, outcome)
	}
	switch {
	case err != nil:
		return outcome, fmt.Errorf("append: %w", err)
	case outcome.State == writer.Open:
		return outcome, &Undecided{OpID: r.ID, Cause: outcome.Cause} // Run goes on, or another publisher
	}
	return outcome, nil
}
