package admin

import (
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

func proposing(n api.NewRequest, c decide.Command) decide.ProposalSpec {
	return decide.ProposalSpec{
		Command: c, ApplyAt: n.ApplyAt, MaxDelay: time.Duration(n.LateSeconds) * time.Second, Expires: n.Expires, BreakGlass: n.BreakGlass,
		Source: n.Source,
	}
}

func newRestoration(r *requests.Restoration) *api.Restoration {
	if r == nil {
		return nil
	}
	out := &api.Restoration{InHistory: r.InHistory, StateDigest: r.State.String(), Documents: r.Documents, NewEpoch: r.NewEpoch}
	if !r.Snapshot.IsZero() {
		out.Snapshot = r.Snapshot.Token().String()
	}
	if !r.Before.IsZero() {
		out.Before, out.BeforeState = r.Before.Token().String(), r.BeforeState.String()
	}
	return out
}

func newChangeRequest(r requests.Request) api.ChangeRequest {
	p := r.Proposal
	out := api.ChangeRequest{
		ID: r.ID, Status: string(r.Status), Hash: r.Hash, Author: p.Author.ID, Reason: r.Reason, Source: p.Source,
		Opened: r.Opened, Changed: r.Changed, ApplyAt: p.ApplyAt, LateSeconds: p.LateSeconds, Expires: p.Expires, BreakGlass: p.BreakGlass,
		Restores: newRestoration(p.Restores), Changes: []api.ProposedChange{}, Epoch: string(p.Epoch), Bases: newBases(p.Bases), Moved: newBases(r.Moved), Risk: *newRisk(access.Risk(p.Risk)), Needed: p.Needed,
		Approvals: newRemarks(r.Approvals), Comments: newRemarks(r.Comments), CommentCount: len(r.Commented),
		Outcome: newRemark(r.Outcome), AppliedBy: r.Claim.By, Review: newRemark(r.Review), ReviewOpen: r.ReviewOpen(),
	}
	for _, c := range p.Changes {
		out.Changes = append(out.Changes, api.ProposedChange{Kind: string(c.Kind), Key: c.Key, Document: value(c.Body)})
	}
	if r.Status == requests.Applied {
		out.Applied = r.Applied.Token().String()
	}
	return out
}

// idsIn returns the ids of all who have to do with a change request.
func idsIn(r api.ChangeRequest) []string {
	ids := []string{r.Author, r.AppliedBy}
	for _, all := range [][]api.Remark{r.Approvals, r.Comments} {
		for _, remark := range all {
			ids = append(ids, remark.By)
		}
	}
	for _, remark := range []*api.Remark{r.Outcome, r.Review} {
		if remark != nil {
			ids = append(ids, remark.By)
		}
	}
	return ids
}

func newRemark(r requests.Remark) *api.Remark {
	if r == (requests.Remark{}) {
		return nil
	}
	return &api.Remark{By: r.By, At: r.At, Text: r.Text}
}

func newRemarks(list []requests.Remark) []api.Remark {
	all := []api.Remark{}
	for _, r := range list {
		all = append(all, *newRemark(r))
	}
	return all
}
