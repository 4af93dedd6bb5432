package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// Restoration says what a change request restores, and over what. It stands in the ledger with the request.
type Restoration struct {
	// Snapshot is the position of the snapshot; zero where an environment is recreated from what a publisher holds.
	Snapshot changelog.Position `json:"snapshot,omitzero"`
	// State is the digest of the documents that are to be there afterwards, with the revisions that they had.
	State changelog.Digest `json:"state"`
	// InHistory tells that the log has the position of the snapshot.
	InHistory bool `json:"inHistory,omitzero"`
	// Before and BeforeState are the position and the digest of the documents that the environment had; zero is not known.
	Before      changelog.Position `json:"before,omitzero"`
	BeforeState changelog.Digest   `json:"beforeState,omitzero"`
	// Documents is how many documents differ in all, also those that the request does not name.
	Documents int `json:"documents,omitzero"`
	// NewEpoch tells that the documents are written as a new epoch of the log.
	NewEpoch bool `json:"newEpoch,omitzero"`
}

// Restore makes the documents of an environment those of a snapshot: see Restoring.
type Restore struct {
	Transfer

	Restoration Restoration
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

// Restored is what became of a Restoring or a NewEpoch.
type Restored struct {
	Restoration

	// Preview is what changes, or would.
	Preview Preview
	// Request is the change request; zero if nothing was to change, and after a dry run.
	Request Request
	// Remaining is how many documents differ that are no part of the request.
	Remaining int
	// Waits is why the request was not applied at once; nil if it was.
	Waits *Refusal
}

// Restore opens a change request that makes the documents those of a snapshot, and applies it if policies permit that at once. Otherwise it
// waits for approvals. The log goes on: no epoch begins. The errors are those of Do.
func (s *Service) Restore(ctx context.Context, o Origin, r Restoring) (Restored, error) {
	if s.options.ReadOnly != "" && !r.DryRun {
		return Restored{}, &Refusal{Cause: CauseReadOnly, Detail: s.options.ReadOnly}
	}
	state, err := s.Current(ctx)
	if err != nil {
		return Restored{}, err
	}
	command, remaining, err := r.command(state)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Restoration: command.Restoration, Remaining: remaining}
	if out.Preview, err = s.Preview(ctx, o, command); err != nil || len(command.Changes) == 0 {
		return out, err
	}
	if r.DryRun {
		if refusal, ok := errors.AsType[*Refusal](cmp.Or(command.Restoration.permit(false), command.fits(state))); ok {
			out.Preview.Refused = refusal
		}
		return out, nil
	}
	if out.Request, err = s.Open(ctx, o, Proposing{Command: command, BreakGlass: r.BreakGlass}); err != nil {
		return out, err
	}
	return out, s.applyRestore(ctx, o, r, &out)
}

// applyRestore applies the change request of a Restore, unless it has to wait for others.
func (s *Service) applyRestore(ctx context.Context, o Origin, r Restoring, out *Restored) error {
	opened := out.Request
	if needed := opened.Proposal.Needed; needed > len(opened.approvers()) && !r.BreakGlass && opened.Status == Open {
		out.Waits = &Refusal{Cause: CauseApprovalRequired, Request: opened.ID, Approvals: needed, Detail: fmt.Sprintf("It needs %s.", approvals(needed))}
		return nil
	}
	applied, err := s.Apply(ctx, o, opened.ID)
	if err == nil {
		out.Request = applied
		return nil
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		return err
	}
	refusal.Request = opened.ID
	if r.BreakGlass || refusal.Cause != CauseForbidden && refusal.Cause != CauseApprovalRequired {
		return refusal
	}
	out.Waits = refusal
	return nil
}

// command returns what makes a state that of the snapshot, and how many documents differ besides.
func (r Restoring) command(s State) (c Restore, remaining int, err error) {
	c.Transfer = newTransfer(s, wanted(s, r.Snapshot))
	c.Restoration = Restoration{
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

// fits refuses what is too large for one change request.
func (c Restore) fits(s State) error {
	size := bytesOf(c.Changes)
	if len(c.Changes) <= changelog.MaxEntries && size <= MaxProposal && recordable(s, c.Changes) {
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
	after, _, _ := candidate(s.Rules(), c.Changes)
	ordered := inDependencyOrder(s, after, c.Changes)
	for size := changelog.MaxEntries; size > 0; size /= 2 {
		p, err := nextPart(s.Rules(), after, ordered, size)
		if err != nil {
			return t, 0, err
		}
		if bytesOf(p.documents) <= MaxProposal && recordable(s, p.documents) {
			chosen := make(map[document.ID]document.Document, len(p.documents))
			for _, d := range p.documents {
				chosen[d.ID()] = d
			}
			t = newTransfer(s, chosen)
			return t, len(c.Changes) - len(t.Changes), nil
		}
	}
	return t, 0, c.fits(s)
}

func bytesOf(documents []document.Document) (size int) {
	for _, d := range documents {
		size += len(d.Body)
	}
	return size
}

// recordable reports whether the record of a change request can hold documents, and all that they are made from. Half of what else a record
// may have is left for reasons and risks.
func recordable(s State, documents []document.Document) bool {
	e := Event{Type: EventOpened, Proposal: &Proposal{Changes: changesOf(documents), Bases: bases(s, documents)}}
	data, err := e.Encode()
	return err == nil && len(data) <= (MaxProposal+changelog.MaxJournalBody)/2
}

// permit refuses a snapshot of which the log tells nothing, unless the glass is broken.
func (r Restoration) permit(breakGlass bool) error {
	if r.InHistory || breakGlass {
		return nil
	}
	return &Refusal{
		Cause: CauseBreakGlass, Action: &RefusedAction{Action: access.BreakGlass},
		Detail: fmt.Sprintf("The log does not have revision %s, which the snapshot is of, so that no history tells where its documents come from: "+
			"restore it by breaking the glass, with a reason, or make the change document by document.", r.Snapshot.Token()),
	}
}
