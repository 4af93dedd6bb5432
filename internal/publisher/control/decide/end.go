package decide

import (
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Reject ends a change request of another person. The reason is that of the origin.
type Reject struct{ Request string }

func (c Reject) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventRejected)
	if err != nil {
		return requests.Event{}, nil, err
	}
	if r.Proposal.Author.ID == in.Origin.By() {
		return requests.Event{}, nil, forbidden(access.Approve, r, "You cannot reject your own change request: withdraw it.")
	}
	e := requests.Event{Type: requests.EventRejected, Request: c.Request, Text: in.Origin.Reason}
	return e, nil, in.checkRequest(g, r, nil).must(access.Approve)
}

// Withdraw ends a change request, scheduled or not, of its author.
type Withdraw struct{ Request string }

func (c Withdraw) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventWithdrawn)
	if err != nil {
		return requests.Event{}, nil, err
	}
	e := requests.Event{Type: requests.EventWithdrawn, Request: c.Request, Text: in.Origin.Reason}
	k := in.checkRequest(g, r, nil)
	if r.Proposal.Author.ID != in.Origin.By() {
		return e, nil, k.must(access.Administer)
	}
	return e, nil, k.must(access.Propose)
}

// Expire ends a change request that was not applied in time.
type Expire struct{ Request string }

func (c Expire) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventExpired)
	if err == nil && in.Now.Before(r.Proposal.Expires) {
		err = &Refusal{Cause: CauseNotOpen, Detail: "The change request has not expired.", Request: r.ID}
	}
	return requests.Event{Type: requests.EventExpired, Request: c.Request}, nil, err
}
