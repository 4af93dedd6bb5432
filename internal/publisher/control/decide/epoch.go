package decide

import (
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// Bounds of the documents that an EventEpochBegun names.
const (
	maxNamed      = 500
	maxNamedBytes = 64 << 10
)

// Epoch is a state that is to be written as a new epoch of the log, whatever the log holds. No approval can be asked for, because the log that
// would take it may be gone: unless nothing changes, it takes breaking the glass, and permission for every document that is touched.
type Epoch struct {
	// Wanted has the documents of the new epoch.
	Wanted State
	// Held is what is known here of the environment; without documents if nothing is.
	Held State
	// Newest tells that Held is the newest state there was, as far as anything here tells. Otherwise every document counts as touched.
	Newest bool
	// After is the newest position of the log that anything here tells of.
	After       changelog.Position
	Restoration requests.Restoration
	BreakGlass  bool
}

// Behind takes into account which position of the log the ledger names: what was applied behind Held is missing in it.
func (n Epoch) Behind(recorded changelog.Position) Epoch {
	n.Newest = n.Newest && !recorded.Newer(n.Held.Position())
	for _, p := range []changelog.Position{n.Held.Position(), n.Restoration.Snapshot, recorded} {
		if p.Newer(n.After) {
			n.After = p
		}
	}
	return n
}

// NewEpoch tells what a new epoch changes, and returns the event that it begins with, of a request with an id that is not used yet. The error
// says why it must not begin.
func NewEpoch(g *requests.Governance, in DecisionInput, n Epoch, id string) (Preview, requests.Event, error) {
	changes := NewTransfer(n.Held, wanted(n.Held, n.Wanted))
	touched := changes.Changes
	if !n.Newest {
		touched = n.everything()
	}
	k := in.checkDocuments(g, touched, nil)
	preview := Preview{Differences: changes.Differences(n.Held), Risk: k.circumstances.Risk}
	err := in.check(g, nil).must(access.Administer)
	if err == nil && (!n.Newest || len(changes.Changes) > 0) {
		err = k.mustBegin(n)
	}
	return preview, n.begun(k, id, len(changes.Changes)), err
}

// begun returns the event that an epoch begins with.
func (n Epoch) begun(k *policyCheck, id string, changed int) requests.Event {
	r := n.Restoration
	r.NewEpoch, r.State, r.Documents = true, n.Wanted.State().Digest(), changed
	if r.Before = n.Held.Position(); !r.Before.IsZero() {
		r.BeforeState = n.Held.State().Digest()
	}
	o, now := k.in.Origin, k.in.Now.UTC()
	p := &requests.Proposal{
		Changes: named(k.documents), Epoch: r.Before.Epoch, Expires: now, Risk: requests.RiskRecord(k.circumstances.Risk),
		BreakGlass: n.BreakGlass, Author: requests.NewAuthor(o.By(), o.Principal), Restores: &r,
	}
	return requests.Event{Type: requests.EventEpochBegun, By: o.By(), At: now, Request: id, Text: o.Reason, Position: &r.Before, Proposal: p}
}

// everything returns all documents of a new epoch, and those that it lacks as deletions.
func (n Epoch) everything() []document.Document {
	all := wanted(n.Held, n.Wanted)
	list := make([]document.Document, 0, len(all))
	for _, d := range all {
		list = append(list, d)
	}
	return list
}

// named returns the names of some documents, as many as a record has room for.
func named(documents []document.Document) []requests.DocumentChange {
	list, size := []requests.DocumentChange{}, 0
	for _, d := range documents {
		if size += len(d.Key); len(list) == maxNamed || size > maxNamedBytes {
			break
		}
		list = append(list, requests.DocumentChange{Kind: d.Kind, Key: d.Key})
	}
	return list
}

// mustBegin refuses a new epoch that changes documents unless each of them may be changed without approvals.
func (k *policyCheck) mustBegin(n Epoch) error {
	if !n.BreakGlass {
		detail := "The log cannot take approvals now, and documents would change: begin the new epoch by breaking the glass, with a reason."
		if !n.Newest {
			detail = "It is not certain that what this publisher holds is the newest state, so that changes may be lost: " +
				"begin the new epoch by breaking the glass, with a reason."
		}
		return &Refusal{Cause: CauseBreakGlass, Action: &requests.RefusedAction{Action: access.BreakGlass}, Detail: detail, Risk: k.circumstances.Risk}
	}
	if k.in.Origin.Reason == "" {
		return &Refusal{Cause: CauseMalformed, Detail: "Breaking the glass needs a reason: give one."}
	}
	k.circumstances.BreakGlass = true
	if err := k.must(access.BreakGlass); err != nil {
		return err
	}
	if refusal := k.refusedDocuments(); refusal != nil {
		return refusal
	}
	return nil
}
