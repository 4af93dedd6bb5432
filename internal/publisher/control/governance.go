package control

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// RequestStatus says how far a change request is.
type RequestStatus string

// The statuses. Open ones wait for approvals, for their time, or for someone to apply them; Claimed ones are being applied. NeedsRebase
// ones were made from what has changed since: their author may make them anew. All others are final.
const (
	Open        RequestStatus = "open"
	Claimed     RequestStatus = "claimed"
	Applied     RequestStatus = "applied"
	NeedsRebase RequestStatus = "needs_rebase"
	Failed      RequestStatus = "failed"
	Rejected    RequestStatus = "rejected"
	Withdrawn   RequestStatus = "withdrawn"
	Expired     RequestStatus = "expired"
)

// Request is a change request. It is immutable.
//
// What its documents were to become is forgotten once it has ended: the ledger has it, at the sequence Proposed.
type Request struct {
	ID       string
	Status   RequestStatus
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

// ReviewOpen reports whether a request broke the glass and no one has looked at it since.
func (r Request) ReviewOpen() bool {
	done := r.Status == Applied || r.Status == Failed && r.Proposal.newEpoch() // of which the log may have more than the ledger tells
	return done && r.Proposal.BreakGlass && r.Review.By == ""
}

// waits reports whether something can still become of the request.
func (r Request) waits() bool {
	return r.Status == Open || r.Status == Claimed || r.Status == NeedsRebase
}

// ended reports whether no one decides about the request any more. Then its proposal has no documents.
func (r Request) ended() bool { return !r.waits() && !r.ReviewOpen() }

// forget drops the documents of a proposal, and the comments.
func (r Request) forget() Request {
	r.Comments = nil
	r.Proposal = r.Proposal.WithoutBodies()
	return r
}

// WithoutBodies returns the proposal with the names of its documents alone; nil of nil.
func (p *Proposal) WithoutBodies() *Proposal {
	if p == nil {
		return nil
	}
	bare := *p
	bare.Changes = slices.Clone(p.Changes)
	for i := range bare.Changes {
		bare.Changes[i].Body = nil
	}
	return &bare
}

// Governance is what people have decided about an environment: the sum of the events of its ledger. The zero value is not useful, see
// NewGovernance. It is not safe for concurrent use; Requests that it returns are.
type Governance struct {
	requests   map[string]Request
	unfinished map[string]bool // ids of those that something can happen to by itself
	risk       RiskSettings
	written    writtenToday
	sequence   uint64
	gap        bool               // records are missing before those that come now
	newest     changelog.Position // of the log, as far as an event has named it
}

// NewGovernance returns what holds in an environment before anything was decided.
func NewGovernance(environment string) *Governance {
	return &Governance{
		requests: make(map[string]Request), unfinished: make(map[string]bool), risk: DefaultRiskSettings(environment),
	}
}

// Request returns a change request.
func (g *Governance) Request(id string) (Request, bool) {
	r, ok := g.requests[id]
	return r, ok
}

// Requests returns all change requests, the oldest first.
func (g *Governance) Requests() []Request {
	return slices.SortedFunc(maps.Values(g.requests), func(a, b Request) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID))
	})
}

// Unfinished returns the change requests that are not final, in any order.
func (g *Governance) Unfinished() []Request {
	list := make([]Request, 0, len(g.unfinished))
	for id := range g.unfinished {
		list = append(list, g.requests[id])
	}
	return list
}

// waitingOf counts the change requests of an author that are not ended.
func (g *Governance) waitingOf(author string) (n int) {
	for id := range g.unfinished {
		if g.requests[id].Proposal.Author.ID == author {
			n++
		}
	}
	return n
}

// Risk returns what is risky.
func (g *Governance) Risk() RiskSettings { return g.risk }

// Newest returns the newest position of the log that an event has named, zero if none has.
func (g *Governance) Newest() changelog.Position { return g.newest }

// Sequence is that of the newest event, 0 if there is none.
func (g *Governance) Sequence() uint64 { return g.sequence }

// Evolve adds the next event. An event that does not fit what happened before is an error, and changes nothing.
func (g *Governance) Evolve(sequence uint64, e Event) error {
	if err := g.evolve(sequence, e); err != nil && !g.gap {
		return fmt.Errorf("event %d: %w", sequence, err)
	}
	g.sequence = sequence
	g.written.add(e)
	if e.Position != nil && e.Position.Newer(g.newest) {
		g.newest = *e.Position
	}
	return nil
}

// Gap tells that records are missing, which a repair of the ledger left behind. Events that continue what they said change nothing from
// now on.
func (g *Governance) Gap() { g.gap = true }

// Pass goes on to a record that is no event.
func (g *Governance) Pass(sequence uint64) { g.sequence = sequence }

func (g *Governance) evolve(sequence uint64, e Event) error {
	if e.Type == EventRefused || e.Type == EventUnauthenticated || e.Type.onEnvironment() {
		return nil
	}
	if e.Type == EventRisk {
		if e.Risk == nil {
			return fmt.Errorf("%s says nothing", e.Type)
		}
		g.risk = *e.Risk
		return nil
	}
	before, known := g.requests[e.Request]
	if known == (e.Type == EventOpened || e.Type == EventEpochBegun) {
		return fmt.Errorf("%s of request %q, which is %q", e.Type, e.Request, before.Status)
	}
	after, err := before.evolve(e)
	if err != nil {
		return err
	}
	after.Changed = e.At
	if e.Proposal != nil {
		after.Proposed = sequence
	}
	if e.Type == EventCommented {
		after.Commented = append(slices.Clip(after.Commented), sequence)
	}
	if after.ended() && !before.ended() {
		after = after.forget()
	}
	g.requests[e.Request] = after
	if after.waits() {
		g.unfinished[e.Request] = true
	} else {
		delete(g.unfinished, e.Request)
	}
	return nil
}

// follows tells whether an event may come after a status.
func (t EventType) follows(status RequestStatus) bool {
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
	if !e.Type.follows(r.Status) {
		return r, fmt.Errorf("%s of request %q, which is %q", e.Type, e.Request, r.Status)
	}
	switch e.Type {
	case EventOpened, EventRebased:
		return r.propose(e)
	case EventEpochBegun:
		return r.beginEpoch(e)
	case EventCommented:
		if !r.ended() {
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
