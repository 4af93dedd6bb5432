package control

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
)

const (
	defaultSweep = time.Second
	// claimGrace is how many sweeps a claim is left to whom has made it.
	claimGrace = 5
	// summaryInterval is how often the ledger is told what is only counted.
	summaryInterval = time.Minute
)

// sweepUntil looks after change requests until ctx ends.
func (s *Service) sweepUntil(ctx context.Context) {
	if s.options.Journal == nil || s.options.ReadOnly != "" {
		return
	}
	look := time.NewTicker(cmp.Or(s.options.Sweep, defaultSweep))
	defer look.Stop()
	summary := time.NewTicker(summaryInterval)
	defer summary.Stop()
	since := time.Now().UTC()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			s.sweep(ctx, time.Now())
		case now := <-summary.C:
			s.summarize(ctx, since)
			since = now.UTC()
		}
	}
}

// sweep carries out what is due. What cannot be done now is done by a later sweep, or by another publisher.
func (s *Service) sweep(ctx context.Context, now time.Time) {
	within, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if s.refresh(within) != nil {
		return
	}
	for _, r := range s.ledger.unfinished() {
		_ = s.attend(ctx, r, now)
	}
}

// attend does what is due about one request.
func (s *Service) attend(ctx context.Context, r Request, now time.Time) error {
	p := r.Proposal
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	switch {
	case r.Status == Claimed && now.Sub(r.Claim.At) > claimGrace*cmp.Or(s.options.Sweep, defaultSweep):
		_, err := s.finish(ctx, r.ID)
		return err
	case (r.Status == Open || r.Status == NeedsRebase) && !now.Before(p.Expires):
		_, err := s.Govern(ctx, Origin{Owner: true}, expire{r.ID})
		return err
	case r.Status == Open && !p.ApplyAt.IsZero() && !now.Before(p.ApplyAt):
		return s.applyScheduled(ctx, r.ID)
	}
	return nil
}

// applyScheduled decides a scheduled request anew, and applies it. One that still waits for approvals goes on waiting; one that can never
// be applied is released.
func (s *Service) applyScheduled(ctx context.Context, id string) error {
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	_, err := s.decideAndRecord(ctx, func(g *Governance, state State) (Event, error) {
		return s.decideScheduled(g, state, id)
	})
	if err != nil {
		return err
	}
	_, err = s.finish(ctx, id)
	return err
}

func (s *Service) decideScheduled(g *Governance, state State, id string) (Event, error) {
	r, err := find(g, id, EventClaimed)
	if err != nil {
		return Event{}, err
	}
	author := r.Proposal.Author.principal()
	if s.options.Standing != nil {
		author, err = s.options.Standing(author)
	}
	var e Event
	if err == nil {
		e, err = DecideRequest(g, s.world(Origin{}, state), ClaimRequest{Request: id, Scheduled: true, Author: author})
	}
	refusal, refused := errors.AsType[*Refusal](err)
	if errors.Is(err, access.ErrRejected) || refused && (refusal.Cause == CauseForbidden || refusal.Cause == CauseInvalid) {
		e = released(r, Failed, err.Error())
		e.At = time.Now().UTC()
		return e, nil
	}
	return e, err
}

// expire ends a request that no one has applied in time.
type expire struct{ request string }

func (c expire) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.request, EventExpired)
	if err == nil && w.Now.Before(r.Proposal.Expires) {
		err = &Refusal{Cause: CauseNotOpen, Detail: "The change request has not expired.", Request: r.ID}
	}
	return Event{Type: EventExpired, Request: c.request}, err
}
