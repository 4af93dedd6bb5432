package following

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/source"
)

// request makes a part the change request of the source, which has one at a time, and applies it if enough have approved. It reports whether nothing
// more can be done now.
func (w *work) request(ctx context.Context, part []source.Change) (done bool, err error) {
	own, ended, err := w.ownRequests(ctx)
	if err != nil {
		return false, err
	}
	proposal := decide.ProposalSpec{Command: w.transfer(part), Source: w.name}
	origin := w.origin(w.outcome.version.label)
	var r requests.Request
	switch source.Request(waitingOf(own), part) {
	case source.Open:
		if refused, found := w.rejected(ended); found {
			w.outcome.asked = part
			w.waits = refused
			return true, nil
		}
		// Another publisher that opens one for the same gets the same.
		origin.Key = fmt.Sprintf("%s %d %d %s", w.counts.Digest, w.counts.At.UnixNano(), len(ended), proposal.Fingerprint())
		r, err = w.service.Open(ctx, origin, proposal)
	case source.Rebase:
		r, err = w.service.HandleRequest(ctx, origin, decide.Rebase{Request: own[0].ID, ProposalSpec: proposal})
	case source.Keep:
		r = own[0]
	}
	switch {
	case isRefused(err, decide.CausePreconditionFailed), isRefused(err, decide.CauseNotOpen):
		return false, errMoved
	case isRefused(err, decide.CauseTooLarge) && len(part) > 1:
		w.documents, w.bytes = len(part)/2, w.bytes/2
		return false, nil // in smaller steps
	case err != nil:
		return false, err
	}
	w.outcome.asked = part
	return w.apply(ctx, part, r)
}

// apply applies a change request of the source if enough have approved.
func (w *work) apply(ctx context.Context, part []source.Change, r requests.Request) (done bool, err error) {
	if r.Status != requests.Claimed && len(r.Approvers()) < r.Proposal.Needed {
		w.waits = r
		return true, nil
	}
	applied, err := w.service.Apply(ctx, w.origin(w.outcome.version.label), r.ID)
	switch {
	case needsApproval(err): // policies want more by now, or some no longer count
		w.waits = r
		return true, nil
	case isRefused(err, decide.CauseStale), isRefused(err, decide.CauseNotOpen):
		return false, errMoved
	case err != nil:
		return false, err
	case applied.Status != requests.Applied:
		return false, errMoved
	}
	w.outcome.changed = append(w.outcome.changed, part...)
	return false, nil
}

// ownRequests returns the change requests of the source that wait, and those that have ended since its version was taken up.
func (w *work) ownRequests(ctx context.Context) (own, ended []requests.Request, err error) {
	all, err := w.service.Requests(ctx)
	for _, r := range all {
		switch {
		case r.Proposal.Author.ID != w.name || r.Proposal.Source != w.name:
		case r.Status == requests.Open, r.Status == requests.NeedsRebase, r.Status == requests.Claimed:
			own = append(own, r)
		case r.Changed.After(w.counts.At):
			ended = append(ended, r)
		}
	}
	return own, ended, err
}

// rejected returns the change request that others have ended since the version was taken up. Nothing is asked for again then.
func (w *work) rejected(ended []requests.Request) (requests.Request, bool) {
	for _, r := range ended {
		if (r.Status == requests.Rejected || r.Status == requests.Withdrawn) && r.Outcome.By != w.name {
			return r, true
		}
	}
	return requests.Request{}, false
}

func waitingOf(own []requests.Request) (list []source.Waiting) {
	for _, r := range own {
		list = append(list, source.Waiting{ID: r.ID, Open: r.Status != requests.NeedsRebase, Documents: r.Proposal.Documents()})
	}
	return list
}

// withdraw ends the change requests of the source when nothing is left that they could be needed for.
func (w *work) withdraw(ctx context.Context) error {
	own, _, err := w.ownRequests(ctx)
	if err != nil {
		return err
	}
	origin := w.origin(w.outcome.version.label)
	origin.Reason = "Nothing that it changes is to be changed any more."
	for _, r := range own {
		if _, err := w.service.HandleRequest(ctx, origin, decide.Withdraw{Request: r.ID}); err != nil && !isRefused(err, decide.CauseNotOpen) {
			return err
		}
	}
	return nil
}
