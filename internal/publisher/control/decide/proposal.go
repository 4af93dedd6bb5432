package decide

import (
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// DefaultExpiry is how long a change request waits, from when it was made or from its time on, unless it says otherwise.
	DefaultExpiry = 30 * 24 * time.Hour
	// MaxExpiry is how long a change request, and what was approved of it, may wait at most from when it was made.
	MaxExpiry = 90 * 24 * time.Hour
	// MaxProposal is how many bytes the documents of a change request may have in all.
	MaxProposal = 512 << 10
	// clockSkew is how far a time that passed may lie back, because clocks differ and requests take time.
	clockSkew = time.Minute
)

// ProposalSpec is what a change request is to do.
type ProposalSpec struct {
	// Command must lead to one transaction.
	Command Command
	// ApplyAt schedules it; MaxDelay is how long after that it may still be applied, in whole seconds, 0 being any time.
	ApplyAt  time.Time
	MaxDelay time.Duration
	// Expires is when it is given up; zero is after DefaultExpiry.
	Expires time.Time
	// BreakGlass makes it go without approvals.
	BreakGlass bool
	// Source is the name of the files that want it; empty for any other.
	Source string
}

// propose decides the command, and what its approval is bound to.
func (c ProposalSpec) propose(g *requests.Governance, in DecisionInput) (*requests.Proposal, *Candidate, error) {
	decision, err := Change(in.State, c.Command)
	if err == nil {
		err = c.validate(in, decision)
	}
	if err != nil {
		return nil, nil, err
	}
	k := in.check(g, c.proposed(in.State, decision))
	k.circumstances.OwnRequest = true
	p, err := c.proposal(in, k)
	if err != nil {
		return nil, nil, err
	}
	if answer := k.answer(access.Propose); !answer.Permitted {
		return nil, nil, denied(access.Propose, k.documents, answer)
	}
	if refusal := k.owned(c.BreakGlass); refusal != nil {
		return nil, nil, refusal
	}
	p.Needed = k.answer(access.Apply).Approvals
	if c.BreakGlass {
		return p, k.candidate, k.mustBreakGlass()
	}
	return p, k.candidate, nil
}

// proposal returns the proposal to make the changes that are checked.
func (c ProposalSpec) proposal(in DecisionInput, k *policyCheck) (*requests.Proposal, error) {
	restores, err := c.restores()
	if err != nil {
		return nil, err
	}
	p := &requests.Proposal{
		Changes: requests.ChangesOf(k.documents), Epoch: in.State.Position().Epoch, Bases: bases(in.State, k.candidate), Expires: c.expires(in.Now),
		LateSeconds: int64((c.MaxDelay + time.Second - 1) / time.Second), BreakGlass: c.BreakGlass, Source: c.Source, Command: c.Fingerprint(),
		Risk: requests.RiskRecord(k.circumstances.Risk), Author: requests.NewAuthor(in.Origin.By(), in.Origin.Principal), Restores: restores,
	}
	if !c.ApplyAt.IsZero() {
		p.ApplyAt = c.ApplyAt.UTC()
	}
	return p, nil
}

// restores returns what the command restores, nil if it does not.
func (c ProposalSpec) restores() (*requests.Restoration, error) {
	r, ok := c.Command.(Restore)
	if !ok {
		return nil, nil
	}
	return &r.Restoration, permitSnapshot(r.Restoration, c.BreakGlass)
}

func (c ProposalSpec) expires(now time.Time) time.Time {
	made := now
	switch {
	case !c.Expires.IsZero():
		return c.Expires.UTC()
	case c.ApplyAt.After(now):
		now = c.ApplyAt
	}
	if latest := made.Add(MaxExpiry); now.Add(DefaultExpiry).After(latest) {
		return latest.UTC()
	}
	return now.Add(DefaultExpiry).UTC()
}

func (c ProposalSpec) validate(in DecisionInput, d Decision) error {
	malformed := func(detail string) error { return &Refusal{Cause: CauseMalformed, Detail: detail} }
	size := 0
	for _, part := range d.Parts {
		for _, document := range part {
			size += len(document.Body)
		}
	}
	switch {
	case len(d.Parts) == 0:
		return malformed("The change request changes nothing: change at least one document.")
	case len(d.Parts) > 1:
		return malformed(fmt.Sprintf("A change request can change at most %d documents: split it into several.", changelog.MaxEntries))
	case size > MaxProposal:
		return &Refusal{
			Cause:  CauseTooLarge,
			Detail: fmt.Sprintf("The documents have %d bytes together, at most %d are allowed in a change request: split it into several.", size, MaxProposal),
		}
	case c.BreakGlass && in.Origin.Reason == "":
		return malformed("Breaking the glass needs a reason: give one.")
	case c.BreakGlass && !c.ApplyAt.IsZero():
		return malformed("Breaking the glass takes effect at once: leave the time to apply it out.")
	case !c.ApplyAt.IsZero() && c.ApplyAt.Before(in.Now.Add(-clockSkew)):
		return malformed(fmt.Sprintf("The time to apply it, %s, has passed: it is %s now. Leave the time out to apply it at once.",
			c.ApplyAt.UTC().Format(time.RFC3339), in.Now.UTC().Format(time.RFC3339)))
	case c.MaxDelay < 0:
		return malformed("The time that a change may be late cannot be negative.")
	case !c.Expires.IsZero() && (!c.Expires.After(in.Now) || c.Expires.Before(c.ApplyAt)):
		return malformed("A change request must expire after now and after it is applied: give a later time.")
	case c.Expires.After(in.Now.Add(MaxExpiry)), c.ApplyAt.After(in.Now.Add(MaxExpiry)):
		return malformed("A change request can wait 90 days at most: give an earlier time.")
	}
	return nil
}
