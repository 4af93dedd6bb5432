package control

import (
	"cmp"
	"context"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
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
	if s.options.ReadOnly != "" {
		return
	}
	look := time.NewTicker(cmp.Or(s.options.Sweep, defaultSweep))
	defer look.Stop()
	summary := time.NewTicker(summaryInterval)
	defer summary.Stop()
	since := s.options.Now().UTC()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			s.sweep(ctx, s.options.Now())
		case <-summary.C:
			s.summarize(ctx, since)
			since = s.options.Now().UTC()
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
		_ = s.process(ctx, r, now)
	}
	s.live(ctx, now)
}

// process does what is due about one request.
func (s *Service) process(ctx context.Context, r requests.Request, now time.Time) error {
	p := r.Proposal
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	switch {
	case r.Status == requests.Claimed && now.Sub(r.Claim.At) > claimGrace*cmp.Or(s.options.Sweep, defaultSweep):
		_, err := s.finish(ctx, r.ID, nil)
		return err
	case (r.Status == requests.Open || r.Status == requests.NeedsRebase) && !now.Before(p.Expires):
		_, _, err := s.handle(ctx, decide.Origin{Owner: true}, decide.Expire{Request: r.ID})
		return err
	case r.Status == requests.Open && !p.ApplyAt.IsZero() && !now.Before(p.ApplyAt):
		return s.applyScheduled(ctx, r.ID)
	}
	return nil
}

// applyScheduled claims a scheduled request, and applies it. One that still waits for approvals goes on waiting; one that can never
// be applied is released.
func (s *Service) applyScheduled(ctx context.Context, id string) error {
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	var candidate *decide.Candidate
	_, err := s.decideAndRecord(ctx, func(g *requests.Governance, state decide.State) (e requests.Event, err error) {
		e, candidate, err = decideRequest(g, s.input(decide.Origin{}, state), decide.ClaimScheduled{Request: id})
		return e, err
	})
	if err != nil {
		return err
	}
	_, err = s.finish(ctx, id, candidate)
	return err
}
