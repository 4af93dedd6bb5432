package decide

import (
	"slices"

	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// LogEvidence is what the log says about a claimed request.
type LogEvidence struct {
	// Applied is the position after its change; zero if it is not in the log.
	Applied changelog.Position
	// Touched tells that the log has changed something, since the claim, that the request was made from.
	Touched bool
}

// ResolveClaim derives what becomes of a claimed request from a state and from what the log says up to it. What was compiled of it already,
// if anything, need not be compiled again. The zero Event means that it is
// to be appended. A claim is never released while it may still be appended: what it was made from is touched for good.
func ResolveClaim(s State, r requests.Request, f LogEvidence, compiled *Candidate) requests.Event {
	p := r.Proposal
	switch {
	case !f.Applied.IsZero():
		return requests.Event{Type: requests.EventApplied, Request: r.ID, Position: &f.Applied}
	case s.Position().Epoch != r.Claim.Position.Epoch:
		return released(r, requests.Failed, "The environment was restored or recreated meanwhile.")
	case f.Touched:
		return released(r, requests.NeedsRebase, "What it was made from was changed meanwhile.")
	}
	if problems := compiled.Or(s, p.Documents()).Problems; len(problems) > 0 {
		return released(r, requests.Failed, "It cannot be published any more: "+problems.Error())
	}
	return requests.Event{}
}

// Add adds what one entry of the log, after the claim, says about a request.
func (f *LogEvidence) Add(r requests.Request, entry changelog.Record) {
	if entry.OpID == r.ID {
		f.Applied = entry.Position() // the last one of the transaction stays
		return
	}
	if slices.ContainsFunc(r.Proposal.Bases, func(b requests.Base) bool { return b.ID() == entry.ID() }) {
		f.Touched = true
	}
}

// released returns the event that a request will not be applied as it is.
func released(r requests.Request, outcome requests.Status, why string) requests.Event {
	return requests.Event{Type: requests.EventReleased, Request: r.ID, Outcome: outcome, Text: why}
}
