package decide

import (
	"errors"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// ClaimRequest begins to apply a change request. From here on it is the log that decides, and nothing else can happen to the request.
type ClaimRequest struct {
	Request string
	// Compiled is what was compiled of its documents already; nil if nothing was.
	Compiled *Candidate
}

func (c ClaimRequest) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventClaimed)
	if err != nil {
		return requests.Event{}, nil, err
	}
	return in.claim(g, r, c.Compiled)
}

// ClaimScheduled begins to apply a change request whose time has come, as its author wanted earlier. One that was made from what has changed
// since is released and needs a rebase; one that can never be applied is released as failed.
type ClaimScheduled struct{ Request string }

func (c ClaimScheduled) decideRequest(g *requests.Governance, in DecisionInput) (e requests.Event, candidate *Candidate, err error) {
	r, err := find(g, c.Request, requests.EventClaimed)
	if err != nil {
		return requests.Event{}, nil, err
	}
	author, err := in.authorValid(r.Proposal.Author.Principal())
	if err == nil {
		in.Origin = Origin{Principal: author, Reason: r.Reason}
		e, candidate, err = in.claim(g, r, nil)
	}
	refusal, _ := errors.AsType[*Refusal](err)
	switch {
	case refusal != nil && refusal.Cause == CauseStale:
		return released(r, requests.NeedsRebase, refusal.Detail), nil, nil
	case errors.Is(err, access.ErrRejected), refusal != nil && (refusal.Cause == CauseForbidden || refusal.Cause == CauseInvalid):
		return released(r, requests.Failed, err.Error()), nil, nil
	}
	return e, candidate, err
}

// claim decides whether the origin may begin to apply a request now.
func (in DecisionInput) claim(g *requests.Governance, r requests.Request, compiled *Candidate) (requests.Event, *Candidate, error) {
	p := r.Proposal
	switch {
	case !in.Now.Before(p.Expires):
		return requests.Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The change request has expired.", Request: r.ID}
	case in.Now.Before(p.ApplyAt):
		return requests.Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "It is too early: the change request is scheduled for later.", Request: r.ID}
	case tooLate(p, in.Now):
		return released(r, requests.Expired, "Its time passed while nothing could be applied."), nil, nil
	}
	if err := stale(in.State, r); err != nil {
		return requests.Event{}, nil, err
	}
	candidate := compiled.Or(in.State, p.Documents())
	if len(candidate.Problems) > 0 {
		return requests.Event{}, nil, &Refusal{
			Cause: CauseInvalid, Detail: "The documents cannot be published any more: correct them and rebase the change request.", Problems: candidate.Problems, Request: r.ID,
		}
	}
	k := in.checkRequest(g, r, candidate)
	approvers, err := k.mayApply(r)
	if err != nil {
		return requests.Event{}, nil, err
	}
	if refusal := k.mayChangeHands(r); refusal != nil {
		return requests.Event{}, nil, refusal
	}
	at := in.State.Position()
	return requests.Event{Type: requests.EventClaimed, By: in.Origin.By(), Request: r.ID, Hash: r.Hash, Position: &at, Approvers: approvers}, candidate, nil
}

// tooLate reports whether the time of a scheduled proposal lies further back than it may.
func tooLate(p *requests.Proposal, now time.Time) bool {
	return p.LateSeconds > 0 && !p.ApplyAt.IsZero() && now.Sub(p.ApplyAt) > time.Duration(p.LateSeconds)*time.Second
}
