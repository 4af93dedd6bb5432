package requests

import (
	"fmt"
	"slices"
)

// Follows tells whether an event may come after a status.
func (t EventType) Follows(status Status) bool {
	switch t {
	case EventOpened, EventEpochBegun:
		return status == ""
	case EventApproved, EventClaimed:
		return status == Open
	case EventRebased, EventRejected, EventWithdrawn, EventExpired:
		return status == Open || status == NeedsRebase
	case EventReleased:
		return status == Open || status == Claimed
	case EventApplied: // the log alone says what was applied
		return status == Claimed || status == Failed
	case EventReviewed:
		return status == Applied || status == Failed
	case EventCommented:
		return status != ""
	default:
		return false
	}
}

func (r Request) evolve(e Event) (Request, error) {
	remark := Remark{By: e.By, At: e.At, Text: e.Text}
	if !e.Type.Follows(r.Status) {
		return r, fmt.Errorf("%s of request %q, which is %q", e.Type, e.Request, r.Status)
	}
	switch e.Type {
	case EventOpened, EventRebased:
		return r.propose(e)
	case EventEpochBegun:
		return r.beginEpoch(e)
	case EventCommented:
		if !r.Ended() {
			r.Comments = append(slices.Clip(r.Comments), remark)
		}
	case EventApproved:
		remark.As = e.Approver
		r.Approvals = append(slices.Clip(r.Approvals), remark)
	case EventRejected:
		r.Status, r.Outcome = Rejected, remark
	case EventWithdrawn:
		r.Status, r.Outcome = Withdrawn, remark
	case EventExpired:
		r.Status, r.Outcome = Expired, remark
	case EventReviewed:
		r.Review = remark
	case EventReleased:
		r.Status, r.Outcome = e.Outcome, remark
	default:
		return r.progress(e)
	}
	return r, nil
}

func (r Request) propose(e Event) (Request, error) {
	if e.Proposal == nil || len(e.Proposal.Changes) == 0 {
		return r, fmt.Errorf("%s of request %q without a proposal", e.Type, e.Request)
	}
	if e.Type == EventOpened {
		r.ID, r.Opened, r.Command = e.Request, e.At, e.Proposal.Command
	}
	if e.Text != "" {
		r.Reason = e.Text
	}
	r.Status, r.Proposal, r.Hash = Open, e.Proposal, e.Proposal.Hash()
	r.Approvals, r.Outcome, r.Claim = nil, Remark{}, Claim{}
	return r, nil
}

func (r Request) progress(e Event) (Request, error) {
	if e.Position == nil {
		return r, fmt.Errorf("%s of request %q without a position", e.Type, e.Request)
	}
	if e.Type == EventApplied {
		r.Status, r.Applied, r.Outcome = Applied, *e.Position, Remark{}
		return r, nil
	}
	r.Status = Claimed
	r.Claim = Claim{By: e.By, At: e.At, Position: *e.Position, Approvers: e.Approvers}
	return r, nil
}

// beginEpoch is what a new epoch is that was begun: failed, until the ledger tells that it was written.
func (r Request) beginEpoch(e Event) (Request, error) {
	if e.Proposal == nil || !e.Proposal.BeginsEpoch() {
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
