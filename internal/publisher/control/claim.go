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
// A scheduled one that was made from what has changed since is released instead: it needs a rebase.
type ClaimRequest struct {
	Request string
	// Scheduled tells that its time has come, and no one asks for it but its author, earlier.
	Scheduled bool
	// Author is the author of a scheduled one, as policies know the author today; the zero value is as recorded.
	Author access.Principal
}

func (c ClaimRequest) decideRequest(g *Governance, w World) (Event, error) {
	r, err := find(g, c.Request, EventClaimed)
	if err != nil {
		return Event{}, err
	}
	p := r.Proposal
	switch {
	case !w.Now.Before(p.Expires):
		return Event{}, &Refusal{Cause: CauseNotOpen, Detail: "The change request has expired.", Request: r.ID}
	case w.Now.Before(p.ApplyAt):
		return Event{}, &Refusal{Cause: CauseNotOpen, Detail: "The time of the change request has not come.", Request: r.ID}
	case p.late(w):
		return released(r, Expired, "Its time passed while nothing could be applied."), nil
	}
	if refusal, ok := errors.AsType[*Refusal](stale(w.State, r)); ok {
		if c.Scheduled {
			return released(r, NeedsRebase, refusal.Detail), nil
		}
		return Event{}, refusal
	}
	if _, problems, _ := candidate(w.State.Rules(), p.documents()); len(problems) > 0 {
		return Event{}, &Refusal{Cause: CauseInvalid, Detail: "The documents cannot be published any more.", Problems: problems, Request: r.ID}
	}
	if c.Scheduled {
		w.Origin = Origin{Principal: c.author(p), Reason: r.Reason}
	}
	approvers, err := w.permitApply(g, r)
	if err != nil {
		return Event{}, err
	}
	at := w.State.Position()
	return Event{Type: EventClaimed, By: w.Origin.actor(), Request: r.ID, Hash: r.Hash, Position: &at, Approvers: approvers}, nil
}

// author returns for whom a scheduled request is applied.
func (c ClaimRequest) author(p *Proposal) access.Principal {
	if c.Author.ID != "" {
		return c.Author
	}
	return p.Author.principal()
}

func (p *Proposal) late(w World) bool {
	return p.LateSeconds > 0 && !p.ApplyAt.IsZero() && w.Now.Sub(p.ApplyAt) > time.Duration(p.LateSeconds)*time.Second
}

// permitApply asks whether a request may be applied with the approvals that it has, and returns whose they are.
func (w World) permitApply(g *Governance, r Request) ([]string, error) {
	k := w.askAbout(g, r)
	approvers, lapsed, err := w.counting(g, r)
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
func (k *inquiry) mustBreakGlass() error {
	k.circumstances.BreakGlass = true
	if err := k.must(access.BreakGlass); err != nil {
		return err
	}
	return k.mustApply()
}

// mustApply refuses a request that may not be applied. To carry out one's own, which no one has approved, is to write at once; and deletions
// are asked for as access.Archive, as everywhere.
func (k *inquiry) mustApply() error {
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

// Finding is what the log says about a claimed request.
type Finding struct {
	// Applied is the position after its change; zero if it is not in the log.
	Applied changelog.Position
	// Touched tells that the log has changed something, since the claim, that the request was made from.
	Touched bool
}

// Conclude derives what becomes of a claimed request from a state and from what the log says up to it. The zero Event means that it is
// to be appended. A claim is never released while it may still be appended: what it was made from is touched for good.
func Conclude(s State, r Request, f Finding) Event {
	p := r.Proposal
	switch {
	case !f.Applied.IsZero():
		return Event{Type: EventApplied, Request: r.ID, Position: &f.Applied}
	case s.Position().Epoch != r.Claim.Position.Epoch:
		return released(r, Failed, "The environment was restored or recreated meanwhile.")
	case f.Touched:
		return released(r, NeedsRebase, "What it was made from was changed meanwhile.")
	}
	if _, problems, _ := candidate(s.Rules(), p.documents()); len(problems) > 0 {
		return released(r, Failed, "It cannot be published any more: "+problems.Error())
	}
	return Event{}
}

// add adds what one entry of the log, after the claim, says about a request.
func (f *Finding) add(r Request, entry changelog.Record) {
	if entry.OpID == r.ID {
		f.Applied = entry.Position() // the last one of the transaction stays
		return
	}
	if slices.ContainsFunc(r.Proposal.Bases, func(b Base) bool { return b.id() == entry.ID() }) {
		f.Touched = true
	}
}
