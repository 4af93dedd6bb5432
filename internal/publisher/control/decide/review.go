package decide

import (
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Review closes what breaking the glass has left open.
type Review struct{ Request string }

func (c Review) decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error) {
	r, err := find(g, c.Request, requests.EventReviewed)
	if err != nil {
		return requests.Event{}, nil, err
	}
	if !r.ReviewOpen() {
		return requests.Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The change request needs no review.", Request: r.ID}
	}
	by := in.Origin.By()
	for _, own := range []string{r.Proposal.Author.ID, r.Claim.By} {
		switch {
		case own == by:
			return requests.Event{}, nil, forbidden(access.Approve, r, "You cannot review your own change.")
		case in.descends(by, own):
			return requests.Event{}, nil, forbidden(access.Approve, r, "You cannot review this change: your token was made with that of its author. "+
				"A person can whose token was not, or who signs in.")
		case in.gone(own):
			return requests.Event{}, nil, forbidden(access.Approve, r, "The author of the change was erased, and may be you: it cannot be reviewed.")
		}
	}
	k := in.checkRequest(g, r, nil)
	return requests.Event{Type: requests.EventReviewed, Request: c.Request, Text: in.Origin.Reason}, k.candidate, k.must(access.Approve)
}
