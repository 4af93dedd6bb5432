package decide

import (
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/sync/changelog"
)

// DecisionInput is what a decision about change requests is made from, besides the governance itself.
type DecisionInput struct {
	Environment string
	State       State
	Origin      Origin
	Now         time.Time
	// Principals may be nil: then everything is permitted to all, as they are.
	Principals Principals
	// Usage may be nil: then it is not known.
	Usage risk.Usage
	// OpenRequests is how many change requests one author may have that are not ended; 0 is any number.
	OpenRequests int
	// LedgerBytes is how many bytes one principal may add to the ledger in a day; 0 is any number.
	LedgerBytes int
}

// RequestCommand is something to be done to change requests: an OpenRequest, Rebase, Comment, Approve, Reject, Withdraw, ClaimRequest,
// Review, SetRisk or PatchLifecycle.
type RequestCommand interface {
	decideRequest(g *requests.Governance, in DecisionInput) (requests.Event, *Candidate, error)
}

// Request derives the event that a command leads to. It is pure: the error is always a *Refusal.
func Request(g *requests.Governance, in DecisionInput, c RequestCommand) (requests.Event, *Candidate, error) {
	e, candidate, err := c.decideRequest(g, in)
	e.At = in.Now.UTC()
	if e.By == "" {
		e.By = in.Origin.By()
	}
	if err != nil {
		return e, candidate, err
	}
	return e, candidate, in.recordable(g, e)
}

// recordable refuses an event that is too large, or exceeds what its author may add to the ledger.
func (in DecisionInput) recordable(g *requests.Governance, e requests.Event) error {
	data, err := e.Encode()
	switch {
	case err != nil:
		return err
	case len(data) > changelog.MaxLedgerBody:
		return &Refusal{Cause: CauseTooLarge, Detail: fmt.Sprintf("The record of this has %d bytes with all keys and dependencies, at most %d are allowed: "+
			"change fewer documents at a time.", len(data), changelog.MaxLedgerBody)}
	}
	return in.withinQuota(g, e, len(data))
}

// find returns a request to which an event of a type can happen.
func find(g *requests.Governance, id string, t requests.EventType) (requests.Request, error) {
	r, known := g.Request(id)
	switch {
	case !known:
		return r, &Refusal{Cause: CauseNotFound, Detail: fmt.Sprintf("There is no change request %q.", id)}
	case !t.Follows(r.Status):
		return r, &Refusal{Cause: CauseNotOpen, Detail: fmt.Sprintf("The change request is %s.", r.Status), Request: id}
	}
	return r, nil
}
