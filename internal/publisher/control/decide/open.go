package decide

import (
	"fmt"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// OpenRequest opens a change request. Its reason is that of the origin.
type OpenRequest struct {
	ID string // not used before
	ProposalSpec
}

// Rebase derives a change request again, from what is there now. Approvals from before no longer count.
type Rebase struct {
	Request string
	// Hash is that of the proposal whose place it takes; empty is any.
	Hash string
	ProposalSpec
}

func (c OpenRequest) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	if _, known := g.Request(c.ID); known || c.ID == "" {
		return requests.Event{}, nil, &Refusal{Cause: CauseMalformed, Detail: "A change request needs an id that no other has: choose another one."}
	}
	if author := in.Origin.By(); in.OpenRequests > 0 && g.WaitingOf(author) >= in.OpenRequests {
		return requests.Event{}, nil, &Refusal{
			Cause:  CauseTooMany,
			Detail: fmt.Sprintf("You have %d change requests that are not ended: apply or withdraw some first.", in.OpenRequests),
		}
	}
	p, candidate, err := c.propose(g, in)
	return requests.Event{Type: requests.EventOpened, Request: c.ID, Text: in.Origin.Reason, Proposal: p}, candidate, err
}

func (c Rebase) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventRebased)
	if err != nil {
		return requests.Event{}, nil, err
	}
	if r.Proposal.Author.ID != in.Origin.By() {
		return requests.Event{}, nil, forbidden(access.Propose, r, "Only its author can rebase a change request.")
	}
	if c.Hash != "" && c.Hash != r.Hash {
		return requests.Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The change request was rebased since.", Request: r.ID}
	}
	if c.Source == "" {
		c.Source = r.Proposal.Source
	}
	p, candidate, err := c.propose(g, in)
	return requests.Event{Type: requests.EventRebased, Request: c.Request, Text: in.Origin.Reason, Proposal: p}, candidate, err
}
