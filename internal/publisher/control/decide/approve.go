package decide

import (
	"slices"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Approve agrees to a change request as its reader has seen it: Hash is that of the proposal.
type Approve struct{ Request, Hash string }

func (c Approve) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventApproved)
	if err != nil {
		return requests.Event{}, nil, err
	}
	if err := c.validate(in, r); err != nil {
		return requests.Event{}, nil, err
	}
	k := in.checkRequest(g, r, nil)
	if err := k.must(access.Approve); err != nil {
		return requests.Event{}, nil, err
	}
	by := in.Origin.By()
	approver := requests.NewAuthor(by, in.Origin.Principal)
	e := requests.Event{Type: requests.EventApproved, Request: c.Request, Text: in.Origin.Reason, Hash: c.Hash, Approver: &approver}
	return e, k.candidate, stale(in.State, r)
}

// validate refuses an approval that no policy can permit.
func (c Approve) validate(in DecisionInput, r requests.Request) error {
	by := in.Origin.By()
	switch {
	case r.Proposal.Author.ID == by:
		return forbidden(access.Approve, r, "You cannot approve your own change request.")
	case in.descends(by, r.Proposal.Author.ID):
		return forbidden(access.Approve, r, "You cannot approve this change request: your token was made with that of its author. "+
			"A person can whose token was not, or who signs in.")
	case in.gone(r.Proposal.Author.ID):
		return &Refusal{
			Cause: CauseNotOpen, Request: r.ID,
			Detail: "The author of the change request was erased, so its owner is unknown: reject it, and open a new one.",
		}
	case r.Hash != c.Hash:
		return &Refusal{Cause: CauseStale, Detail: "The change request was rebased since: read it again.", Request: r.ID}
	case !in.Now.Before(r.Proposal.Expires):
		return &Refusal{Cause: CauseNotOpen, Detail: "The change request has expired.", Request: r.ID}
	case slices.Contains(r.Approvers(), by):
		return &Refusal{Cause: CauseNotOpen, Detail: "You have approved it already.", Request: r.ID}
	}
	return nil
}
