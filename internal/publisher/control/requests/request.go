package requests

import (
	"slices"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// Status says how far a change request is.
type Status string

// The statuses. Open ones wait for approvals, for their time, or to be applied; Claimed ones are being applied. NeedsRebase
// ones were made from what has changed since: their author may rebase them. All others are final.
const (
	Open        Status = "open"
	Claimed     Status = "claimed"
	Applied     Status = "applied"
	NeedsRebase Status = "needs_rebase"
	Failed      Status = "failed"
	Rejected    Status = "rejected"
	Withdrawn   Status = "withdrawn"
	Expired     Status = "expired"
)

// Request is a change request. It is immutable.
//
// What its documents were to become is forgotten once it has ended: the ledger has it, at the sequence Proposed.
type Request struct {
	ID       string
	Status   Status
	Proposal *Proposal
	Hash     string // of the proposal
	Proposed uint64 // sequence of the event that has the proposal
	Reason   string
	Opened   time.Time
	// Command tells what it was opened with, for idempotency keys.
	Command string
	Changed time.Time // of the newest event
	// Approvals are those of the proposal as it is.
	Approvals []Remark
	// Comments are forgotten once it has ended, as the documents are: the ledger has them, at the sequences Commented.
	Comments  []Remark
	Commented []uint64
	// Outcome is why it was rejected, withdrawn or released.
	Outcome Remark
	// Claim is who applies it, and the log when it was claimed. It is zero unless it was.
	Claim Claim
	// Applied is the position after its change.
	Applied changelog.Position
	// Review is who has looked at it afterwards, if it broke the glass.
	Review Remark
	// Moved is what it was made from and has changed since, as it is now. A Service tells; it is no part of the ledger.
	Moved []Base
	// Warnings are slips in its documents that are tolerated. A Service tells of one request; they are no part of the ledger.
	Warnings eval.Problems
}

// Remark is what a person said about a request.
type Remark struct {
	By   string
	At   time.Time
	Text string
	// As is who it was, as policies knew them, of an approval; nil else.
	As *Author
}

// Claim is the right to apply a request, which ends all others.
type Claim struct {
	By        string
	At        time.Time
	Position  changelog.Position
	Approvers []string
}

// ReviewOpen reports whether a request broke the glass and was not reviewed since.
func (r Request) ReviewOpen() bool {
	done := r.Status == Applied || r.Status == Failed && r.Proposal.BeginsEpoch() // of which the log may have more than the ledger tells
	return done && r.Proposal.BreakGlass && r.Review.By == ""
}

// Waits reports whether something can still become of the request.
func (r Request) Waits() bool {
	return r.Status == Open || r.Status == Claimed || r.Status == NeedsRebase
}

// Ended reports whether nothing is decided about the request any more. Then its proposal has no documents.
func (r Request) Ended() bool { return !r.Waits() && !r.ReviewOpen() }

// forget drops the documents of a proposal, and the comments.
func (r Request) forget() Request {
	r.Comments = nil
	r.Proposal = r.Proposal.WithoutBodies()
	return r
}

// Approvers returns who has approved the proposal as it is, each once, without its author.
func (r Request) Approvers() []string {
	var ids []string
	for _, a := range r.Approvals {
		if a.By != r.Proposal.Author.ID && !slices.Contains(ids, a.By) {
			ids = append(ids, a.By)
		}
	}
	return ids
}

// Approver returns who has approved a request, as policies knew them when they did.
func (r Request) Approver(id string) access.Principal {
	for _, a := range slices.Backward(r.Approvals) {
		if a.By == id && a.As != nil {
			return a.As.Principal()
		}
	}
	return access.Principal{ID: id}
}
