package decide

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// Restore makes the documents of an environment those of a snapshot: see Restoring.
type Restore struct {
	Transfer

	Restoration requests.Restoration
}

// Restoring is how an environment is to become what a snapshot is.
type Restoring struct {
	Snapshot State
	// InHistory tells that the log has the position of the snapshot. Any other snapshot takes breaking the glass.
	InHistory bool
	// Part takes as much of the difference as one change request may have. Repeating it completes the rest.
	Part bool
	// DryRun tells what would change, and changes nothing.
	DryRun bool
	// BreakGlass goes without approvals.
	BreakGlass bool
}

// Waits reports whether the request of a restore has fewer approvals than it needed when it was made, and says how many those are.
func (r Restoring) Waits(opened requests.Request) (bool, *Refusal) {
	needed := opened.Proposal.Needed
	if r.BreakGlass || opened.Status != requests.Open || needed <= len(opened.Approvers()) {
		return false, nil
	}
	return true, &Refusal{
		Cause: CauseApprovalRequired, Request: opened.ID, Approvals: needed, Detail: fmt.Sprintf("It needs %s.", approvals(needed)),
	}
}

// Command returns what makes a state that of the snapshot, and how many documents differ besides.
func (r Restoring) Command(s State) (c Restore, remaining int, err error) {
	c.Transfer = NewTransfer(s, wanted(s, r.Snapshot)).compile(s)
	c.Restoration = requests.Restoration{
		Snapshot: r.Snapshot.Position(), State: r.Snapshot.State().Digest(), InHistory: r.InHistory,
		Before: s.Position(), BeforeState: s.State().Digest(), Documents: len(c.Changes),
	}
	if r.Part {
		c.Transfer, remaining, err = c.part(s)
	} else if !r.DryRun {
		err = c.fits(s)
	}
	c.Source = fmt.Sprint("restore\x00", c.Restoration.State, c.Restoration.Snapshot, r.Part)
	return c, remaining, err
}

// wanted returns what each document of either state is in the snapshot.
func wanted(s, snapshot State) map[document.ID]document.Document {
	all := make(map[document.ID]document.Document)
	for live := range s.Documents() {
		all[live.ID()] = document.Document{Kind: live.Kind, Key: live.Key}
	}
	for d := range snapshot.Documents() {
		all[d.ID()] = d
	}
	return all
}

// Refused returns why the documents cannot be restored by one change request without breaking the glass; nil if they can.
func (c Restore) Refused(s State) *Refusal {
	refusal, _ := errors.AsType[*Refusal](cmp.Or(permitSnapshot(c.Restoration, false), c.fits(s)))
	return refusal
}

// fits refuses what is too large for one change request.
func (c Restore) fits(s State) error {
	size := bytesOf(c.Changes)
	if len(c.Changes) <= changelog.MaxEntries && size <= MaxProposal && recordable(s, c.compiled) {
		return nil
	}
	return &Refusal{Cause: CauseTooLarge, Detail: fmt.Sprintf("%d documents with %d bytes differ, which is too much for one change request: "+
		"it takes %d documents with %d bytes, less where keys are long. Restore it in parts (--parts), each of which leaves a valid environment.",
		len(c.Changes), size, changelog.MaxEntries, MaxProposal)}
}

// part returns as much as one change request takes and is valid by itself, and how many documents it leaves out.
func (c Restore) part(s State) (t Transfer, remaining int, err error) {
	if c.fits(s) == nil {
		return c.Transfer, 0, nil
	}
	ordered := inDependencyOrder(s.Rules(), c.compiled.Rules, c.compiled.Documents)
	for size := changelog.MaxEntries; size > 0; size /= 2 {
		p, err := nextPart(&basis{rules: s.Rules()}, c.compiled.Rules, ordered, Limits{Documents: size})
		if err != nil {
			return t, 0, err
		}
		if bytesOf(p.documents) > MaxProposal {
			continue
		}
		if t = NewTransfer(s, byID(p.documents)).compile(s); recordable(s, t.compiled) {
			return t, len(c.Changes) - len(t.Changes), nil
		}
	}
	return Transfer{}, 0, c.fits(s)
}

func byID(documents []document.Document) map[document.ID]document.Document {
	all := make(map[document.ID]document.Document, len(documents))
	for _, d := range documents {
		all[d.ID()] = d
	}
	return all
}

func bytesOf(documents []document.Document) (size int) {
	for _, d := range documents {
		size += len(d.Body)
	}
	return size
}

// recordable reports whether the record of a change request can hold changes, and all that they are made from. Half of what else a record
// may have is left for reasons and risks.
func recordable(s State, c *Candidate) bool {
	e := requests.Event{Type: requests.EventOpened, Proposal: &requests.Proposal{Changes: requests.ChangesOf(c.Documents), Bases: bases(s, c)}}
	data, err := e.Encode()
	return err == nil && len(data) <= (MaxProposal+changelog.MaxLedgerBody)/2
}

// permitSnapshot refuses a snapshot of which the log tells nothing, unless the glass is broken.
func permitSnapshot(r requests.Restoration, breakGlass bool) error {
	if r.InHistory || breakGlass {
		return nil
	}
	return &Refusal{
		Cause: CauseBreakGlass, Action: &requests.RefusedAction{Action: access.BreakGlass},
		Detail: fmt.Sprintf("The log does not have revision %s, which the snapshot is of, so that no history tells where its documents come from: "+
			"restore it by breaking the glass, with a reason, or make the change document by document.", r.Snapshot.Token()),
	}
}
