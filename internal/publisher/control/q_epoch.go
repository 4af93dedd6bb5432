package control

import "fmt"

// EventEpochBegun tells that a new epoch is about to be written, by whom, why, and what it changes. An EventApplied with the same request id
// follows when it was.
const EventEpochBegun EventType = "epoch.begun"

// newEpoch reports whether the request is the record of a new epoch, and not of a transaction.
func (p *Proposal) newEpoch() bool { return p.Restores != nil && p.Restores.NewEpoch }

// beginEpoch is what a new epoch is that was begun: failed, until the ledger tells that it was written.
func (r Request) beginEpoch(e Event) (Request, error) {
	if e.Proposal == nil || !e.Proposal.newEpoch() {
		return r, fmt.Errorf("%s of request %q does not say what is begun", e.Type, e.Request)
	}
	r.ID, r.Opened, r.Reason = e.Request, e.At, e.Text
	r.Status, r.Proposal, r.Hash = Failed, e.Proposal, e.Proposal.Hash()
	r.Claim = Claim{By: e.By, At: e.At}
	if e.Position != nil { // which is not known where nothing of the environment is
		r.Claim.Position = *e.Position
	}
	r.Outcome = Remark{At: e.At, Text: "The new epoch was begun, and it is not recorded that it was completed: look at the environment, and repeat it if it was not."}
	return r, nil
}
