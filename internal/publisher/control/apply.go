package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/progress"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Risk returns what is risky in the environment.
func (s *Service) Risk(ctx context.Context) (risk.Settings, error) {
	if err := s.refresh(ctx); err != nil {
		return risk.Settings{}, err
	}
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Risk(), nil
}

// HandleRequest carries out a command about change requests and returns the request as it is then. The errors are those of Do; a stale
// request is a *Refusal with what has moved.
func (s *Service) HandleRequest(ctx context.Context, o decide.Origin, c decide.RequestCommand) (requests.Request, error) {
	r, candidate, err := s.handle(ctx, o, c)
	if err != nil {
		return requests.Request{}, err
	}
	return s.shown(ctx, r, candidate), nil
}

// handle is HandleRequest. The candidate is what was compiled for it, if anything was; the request is zero if the command is about none.
func (s *Service) handle(ctx context.Context, o decide.Origin, c decide.RequestCommand) (r requests.Request, candidate *decide.Candidate, err error) {
	if err := s.validate(o); err != nil {
		return requests.Request{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	o, err = s.identifiedFor(ctx, o, c)
	var e requests.Event
	if err == nil {
		e, err = s.decideAndRecord(ctx, func(g *requests.Governance, state decide.State) (e requests.Event, err error) {
			e, candidate, err = decideRequest(g, s.input(o, state), c)
			return e, err
		})
	}
	s.noteRefused(ctx, o, err)
	if err != nil {
		return requests.Request{}, nil, err
	}
	r, _ = s.known(e.Request)
	return r, candidate, nil
}

// identifiedFor is identified for a command about change requests.
func (s *Service) identifiedFor(ctx context.Context, o decide.Origin, c decide.RequestCommand) (decide.Origin, error) {
	return s.identified(ctx, o, func(g *requests.Governance, in decide.DecisionInput) error {
		_, _, err := decideRequest(g, in, c)
		return err
	})
}

// Open opens a change request. With a key in the origin, repeating it returns the request that was opened.
func (s *Service) Open(ctx context.Context, o decide.Origin, p decide.ProposalSpec) (requests.Request, error) {
	r, candidate, err := s.openRequest(ctx, o, p)
	if err != nil {
		return r, err
	}
	return s.shown(ctx, r, candidate), nil
}

// openRequest is Open. The candidate is what was compiled for it, if anything was.
func (s *Service) openRequest(ctx context.Context, o decide.Origin, p decide.ProposalSpec) (requests.Request, *decide.Candidate, error) {
	if o.Key == "" {
		return s.handle(ctx, o, decide.OpenRequest{ID: rand.Text(), ProposalSpec: p})
	}
	o, err := s.identifiedFor(ctx, o, decide.OpenRequest{ID: rand.Text(), ProposalSpec: p})
	if err != nil {
		s.noteRefused(ctx, o, err)
		return requests.Request{}, nil, err
	}
	id := decide.Fingerprint(o.By() + "\x00" + o.Key)
	if r, err := s.current(ctx, id); err == nil {
		return r, nil, repeats(r, p, s.options.Now())
	}
	r, candidate, err := s.handle(ctx, o, decide.OpenRequest{ID: id, ProposalSpec: p})
	if known, ok := s.known(id); err != nil && ok { // another one with the key was faster
		return known, nil, repeats(known, p, s.options.Now())
	}
	return r, candidate, err
}

// repeats refuses an idempotency key that has opened the request r if it cannot be used for p.
func repeats(r requests.Request, p decide.ProposalSpec, now time.Time) error {
	switch {
	case r.Command != p.Fingerprint():
		return &decide.Refusal{Cause: decide.CauseKeyReused, Detail: "The idempotency key was used for something else: choose another one.", Request: r.ID}
	case now.Sub(r.Opened) > KeyLifetime:
		return &decide.Refusal{Cause: decide.CauseKeyExpired, Detail: "The idempotency key was used too long ago: choose another one.", Request: r.ID}
	}
	return nil
}

// Apply applies a change request and returns when the state shows it. Repeating it goes on where it was interrupted. The request that
// is returned tells whether it was applied, or has to be rebased because something came between.
func (s *Service) Apply(ctx context.Context, o decide.Origin, id string) (requests.Request, error) {
	return s.apply(ctx, o, id, nil)
}

// apply is Apply, with what was compiled of the request already.
func (s *Service) apply(ctx context.Context, o decide.Origin, id string, compiled *decide.Candidate) (requests.Request, error) {
	r, err := s.find(ctx, id)
	if err != nil {
		return r, err
	}
	if r.Status != requests.Claimed && r.Status != requests.Applied {
		if err := s.catchUp(ctx); err != nil {
			return r, err
		}
		if r, compiled, err = s.handle(ctx, o, decide.ClaimRequest{Request: id, Compiled: compiled}); err != nil {
			return r, err
		}
	}
	if r.Status == requests.Claimed {
		ctx, cancel := context.WithTimeout(ctx, commandTimeout)
		defer cancel()
		if r, err = s.finish(ctx, id, compiled); err != nil {
			return r, err
		}
	}
	return s.shown(ctx, r, compiled), nil
}

// catchUp makes sure that approvals are counted by what is known of their principals now, and not a second ago.
func (s *Service) catchUp(ctx context.Context) error {
	if s.options.Access == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if err := s.options.Access.CatchUp(ctx); err != nil {
		return fmt.Errorf("%w: who has approved: %w", ErrUnconfirmed, err)
	}
	return nil
}

// finish brings a claimed request to its end, whichever publisher has claimed it.
func (s *Service) finish(ctx context.Context, id string, compiled *decide.Candidate) (requests.Request, error) {
	if err := s.lock.acquire(ctx); err != nil {
		return requests.Request{}, ErrContended
	}
	defer s.lock.release()
	for {
		r, err := s.find(ctx, id)
		if err != nil || r.Status != requests.Claimed {
			return r, err
		}
		if err := s.step(ctx, r, compiled); err != nil {
			return r, err
		}
	}
}

// step resolves what became of a claimed request, appending its change if that is still to be done.
func (s *Service) step(ctx context.Context, r requests.Request, compiled *decide.Candidate) error {
	log, err := s.options.Store.Log(ctx)
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
	e := decide.ResolveClaim(state, r, found, compiled)
	if e.Type == "" {
		meter, documents := progress.Of(ctx), len(r.Proposal.Documents())
		meter.Expect(documents)
		outcome, err := s.appendRequest(ctx, log, state, r)
		if err != nil || outcome.State == writer.Lost {
			return err
		}
		meter.Add(documents)
		e = requests.Event{Type: requests.EventApplied, Request: r.ID, Position: &outcome.Position}
		// The change is in the log whether or not it is seen here in time.
		_ = s.options.Follower.Wait(ctx, outcome.Position.Revision)
	}
	return s.recordResolved(ctx, r, e)
}

// recordResolved records what became of a claim, unless another publisher was faster.
func (s *Service) recordResolved(ctx context.Context, r requests.Request, e requests.Event) error {
	e.At = s.options.Now().UTC()
	recorded, err := s.decideAndRecord(ctx, func(g *requests.Governance, _ decide.State) (requests.Event, error) {
		if now, _ := g.Request(r.ID); now.Status != requests.Claimed || now.Claim.At != r.Claim.At {
			return requests.Event{}, nil
		}
		return e, nil
	})
	if recorded.Type == requests.EventApplied && r.Proposal.BreakGlass && err == nil {
		s.options.Observer.BrokeGlass(r)
	}
	return err
}

// search looks for a claimed request in the log, from its claim up to a position.
func search(ctx context.Context, log Log, r requests.Request, to changelog.Position) (decide.LogEvidence, error) {
	var found decide.LogEvidence
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
		found.Add(r, entry)
	}
	return found, nil
}

// appendRequest appends the change of a request under the id of the request. A publisher that tries the same at the same place, or finds it in
// the log, knows it by that. One that is undecided is left to Run, or to another publisher.
func (s *Service) appendRequest(ctx context.Context, log Log, basis writer.Basis, r requests.Request) (writer.Outcome, error) {
	return s.append(ctx, log, basis, writer.Change{
		OpID: r.ID, Actor: r.Claim.By, Approvers: r.Claim.Approvers, Reason: r.Reason, Request: r.ID, Time: s.options.Now(),
		Documents: r.Proposal.Documents(),
	})
}
