package control

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// ClaimRequest begins to apply a change request. From here on it is the log that decides, and nothing else can happen to the request.
//
// A scheduled one that was made from what has changed since is released instead: it needs to be made anew.
type ClaimRequest struct {
	Request string
	// Scheduled tells that its time has come, and nobody asks for it but its author, earlier.
	Scheduled bool
	// Author is the author of a scheduled one, as policies know the author today; the zero value is as recorded.
	Author access.Principal
	// Compiled is what was compiled of its documents already; nil if nothing was.
	Compiled *Candidate
}

func (c ClaimRequest) decideRequest(g *Governance, in DecisionInput) (Event, *Candidate, error) {
	r, err := find(g, c.Request, EventClaimed)
	if err != nil {
		return Event{}, nil, err
	}
	p := r.Proposal
	switch {
	case !in.Now.Before(p.Expires):
		return Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The change request has expired.", Request: r.ID}
	case in.Now.Before(p.ApplyAt):
		return Event{}, nil, &Refusal{Cause: CauseNotOpen, Detail: "The time of the change request has not come.", Request: r.ID}
	case tooLate(p, in.Now):
		return released(r, Expired, "Its time passed while nothing could be applied."), nil, nil
	}
	if refusal, ok := errors.AsType[*Refusal](stale(in.State, r)); ok {
		if c.Scheduled {
			return released(r, NeedsRebase, refusal.Detail), nil, nil
		}
		return Event{}, nil, refusal
	}
	candidate := c.Compiled.Or(in.State, p.documents())
	if len(candidate.Problems) > 0 {
		return Event{}, nil, &Refusal{
			Cause: CauseInvalid, Detail: "The documents cannot be published any more.", Problems: candidate.Problems, Request: r.ID,
		}
	}
	if c.Scheduled {
		in.Origin = Origin{Principal: c.author(p), Reason: r.Reason}
	}
	approvers, err := in.checkRequest(g, r, candidate).mayApply(r)
	if err != nil {
		return Event{}, nil, err
	}
	at := in.State.Position()
	return Event{Type: EventClaimed, By: in.Origin.actor(), Request: r.ID, Hash: r.Hash, Position: &at, Approvers: approvers}, candidate, nil
}

// author returns for whom a scheduled request is applied.
func (c ClaimRequest) author(p *Proposal) access.Principal {
	if c.Author.ID != "" {
		return c.Author
	}
	return p.Author.principal()
}

func tooLate(p *Proposal, now time.Time) bool {
	return p.LateSeconds > 0 && !p.ApplyAt.IsZero() && now.Sub(p.ApplyAt) > time.Duration(p.LateSeconds)*time.Second
}

// mayApply asks whether a request may be applied with the approvals that it has, and returns whose they are.
func (k *policyCheck) mayApply(r Request) ([]string, error) {
	approvers, lapsed, err := k.counting(r)
	if err != nil {
		return nil, err
	}
	k.circumstances.Approvals = len(approvers)
	k.circumstances.BreakGlass = r.Proposal.BreakGlass
	if r.Proposal.BreakGlass {
		if err := k.must(access.BreakGlass); err != nil {
			return nil, err
		}
	}
	err = k.mustApply()
	if refusal, ok := errors.AsType[*Refusal](err); ok && len(lapsed) > 0 {
		refusal.Detail += " Approvals that no longer count: " + strings.Join(lapsed, "; ") + "."
	}
	return approvers, err
}

// mustBreakGlass refuses what its author may not do at once, without approvals: a change request for it would only be left behind.
func (k *policyCheck) mustBreakGlass() error {
	k.circumstances.BreakGlass = true
	if err := k.must(access.BreakGlass); err != nil {
		return err
	}
	return k.mustApply()
}

// mustApply refuses a request that may not be applied. To carry out one's own, which nobody has approved, is to write at once; and deletions
// are asked for as access.Archive, as everywhere.
func (k *policyCheck) mustApply() error {
	if err := k.must(access.Apply); err != nil {
		return err
	}
	if c := k.circumstances; c.OwnRequest && c.Approvals == 0 {
		if refusal := k.among(puts).refused(access.Change); refusal != nil {
			return refusal
		}
	}
	if refusal := k.among(deletions).refused(access.Archive); refusal != nil {
		return refusal
	}
	return nil
}

// released returns the event that a request will not be applied as it is.
func released(r Request, outcome RequestStatus, why string) Event {
	return Event{Type: EventReleased, Request: r.ID, Outcome: outcome, Text: why}
}

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
func ResolveClaim(s State, r Request, f LogEvidence, compiled *Candidate) Event {
	p := r.Proposal
	switch {
	case !f.Applied.IsZero():
		return Event{Type: EventApplied, Request: r.ID, Position: &f.Applied}
	case s.Position().Epoch != r.Claim.Position.Epoch:
		return released(r, Failed, "The environment was restored or recreated meanwhile.")
	case f.Touched:
		return released(r, NeedsRebase, "What it was made from was changed meanwhile.")
	}
	if problems := compiled.Or(s, p.documents()).Problems; len(problems) > 0 {
		return released(r, Failed, "It cannot be published any more: "+problems.Error())
	}
	return Event{}
}

// add adds what one entry of the log, after the claim, says about a request.
func (f *LogEvidence) add(r Request, entry changelog.Record) {
	if entry.OpID == r.ID {
		f.Applied = entry.Position() // the last one of the transaction stays
		return
	}
	if slices.ContainsFunc(r.Proposal.Bases, func(b Base) bool { return b.id() == entry.ID() }) {
		f.Touched = true
	}
}
