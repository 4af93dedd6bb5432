package control

import (
	"errors"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
)

// ClaimRequest begins to apply a change request. From here on it is the log that decides, and nothing else can happen to the request.
type ClaimRequest struct {
	Request string
	// Compiled is what was compiled of its documents already; nil if nothing was.
	Compiled *Candidate
}

func (c ClaimRequest) decideRequest(g *Governance, in DecisionInput) (Event, *Candidate, error) {
	r, err := find(g, c.Request, EventClaimed)
	if err != nil {
		return Event{}, nil, err
	}
	return in.claim(g, r, c.Compiled)
}

// ClaimScheduled begins to apply a change request whose time has come, as its author wanted earlier. One that was made from what has changed
// since is released and needs a rebase; one that can never be applied is released as failed.
type ClaimScheduled struct{ Request string }

func (c ClaimScheduled) decideRequest(g *Governance, in DecisionInput) (e Event, candidate *Candidate, err error) {
	r, err := find(g, c.Request, EventClaimed)
	if err != nil {
		return Event{}, nil, err
	}
	author, err := in.authorValid(r.Proposal.Author.Principal())
	if err == nil {
		in.Origin = Origin{Principal: author, Reason: r.Reason}
		e, candidate, err = in.claim(g, r, nil)
	}
	refusal, _ := errors.AsType[*Refusal](err)
	switch {
	case refusal != nil && refusal.Cause == CauseStale:
		return released(r, NeedsRebase, refusal.Detail), nil, nil
	case errors.Is(err, access.ErrRejected), refusal != nil && (refusal.Cause == CauseForbidden || refusal.Cause == CauseInvalid):
		return released(r, Failed, err.Error()), nil, nil
	}
	return e, candidate, err
}

// claim decides whether the origin may begin to apply a request now.
func (in DecisionInput) claim(g *Governance, r Request, compiled *Candidate) (Event, *Candidate, error) {
	p := r.Proposal
	switch {
	case !in.Now.Before(p.Expires):
		return Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The change request has expired.", Request: r.ID}
	case in.Now.Before(p.ApplyAt):
		return Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The time of the change request has not come.", Request: r.ID}
	case tooLate(p, in.Now):
		return released(r, Expired, "Its time passed while nothing could be applied."), nil, nil
	}
	if err := stale(in.State, r); err != nil {
		return Event{}, nil, err
	}
	candidate := compiled.Or(in.State, p.Documents())
	if len(candidate.Problems) > 0 {
		return Event{}, nil, &Refusal{
			Cause: CauseInvalid, Detail: "The documents cannot be published any more.", Problems: candidate.Problems, Request: r.ID,
		}
	}
	approvers, err := in.checkRequest(g, r, candidate).mayApply(r)
	if err != nil {
		return Event{}, nil, err
	}
	at := in.State.Position()
	return Event{Type: EventClaimed, By: in.Origin.By(), Request: r.ID, Hash: r.Hash, Position: &at, Approvers: approvers}, candidate, nil
}

// tooLate reports whether the time of a scheduled proposal lies further back than it may.
func tooLate(p *Proposal, now time.Time) bool {
	return p.LateSeconds > 0 && !p.ApplyAt.IsZero() && now.Sub(p.ApplyAt) > time.Duration(p.LateSeconds)*time.Second
}
