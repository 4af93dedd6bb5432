package admin

import (
	"cmp"
	"context"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/preview"
)

// defaultImpactWait is how long answers of sidecars are waited for.
const defaultImpactWait = time.Second

// mayAsk reports whether who asks may do what is asked about, or propose it. Others do not learn what it would do.
func mayAsk(refused *decide.Refusal) bool {
	return refused == nil || refused.Cause == decide.CauseApprovalRequired || refused.Cause == decide.CauseInUse
}

// impactOf returns what a command would do to recent evaluations, nil if its caller may not know, or nothing would change.
func (s *server) impactOf(ctx context.Context, environment string, found decide.Preview, waitMs int) (*api.Impact, error) {
	if !mayAsk(found.Refused) {
		return nil, nil
	}
	var changes []document.Document
	for _, d := range found.Differences {
		changes = append(changes, document.Document{Kind: d.ID.Kind, Key: d.ID.Key, Body: d.After})
	}
	return s.impact(ctx, environment, changes, time.Duration(waitMs)*time.Millisecond)
}

// impactOfRequest is impactOf for a change request that can still be applied, and that its caller may propose, approve or apply. Who may only read it
// has no sidecar asked.
func (s *server) impactOfRequest(ctx context.Context, service *control.Service, environment string, r requests.Request) (*api.Impact, error) {
	if r.Status != requests.Open || caller(ctx).ID == "" {
		return nil, nil
	}
	may, err := service.MayTake(ctx, decide.Origin{Principal: caller(ctx)}, r)
	if err != nil || !may {
		return nil, err
	}
	var changes []document.Document
	for _, c := range r.Proposal.Changes {
		changes = append(changes, document.Document{Kind: c.Kind, Key: c.Key, Body: c.Body})
	}
	return s.impact(ctx, environment, changes, 0)
}

func (s *server) impact(ctx context.Context, environment string, changes []document.Document, wait time.Duration) (*api.Impact, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	found, err := s.options.Environments.Impact(ctx, environment, caller(ctx).ID, changes, cmp.Or(wait, defaultImpactWait))
	if err != nil {
		return nil, s.problem(err)
	}
	return newImpact(&found), nil
}

func newImpact(i *preview.Impact) *api.Impact {
	out := &api.Impact{
		Answered: i.Answered, Asked: len(i.Asked), Sidecars: i.Sidecars, InProcess: i.InProcess, Applications: append([]string{}, i.Applications...),
		SinceSeconds: int64(i.Since / time.Second), Partial: i.Partial, Flags: []api.ImpactFlag{}, MoreFlags: i.MoreFlags, Missing: i.Missing, At: i.At.UTC(),
		Unanswered: i.Unanswered,
	}
	for _, c := range i.Clocks {
		out.Clocks = append(out.Clocks, api.ImpactClock{Name: c.Name, Namespace: c.Namespace, AheadSeconds: int64(c.Ahead / time.Second)})
	}
	for why, n := range i.Refused {
		if out.Refused == nil {
			out.Refused = make(map[string]int)
		}
		out.Refused[string(why)] = n
	}
	for _, f := range i.Flags {
		flag := api.ImpactFlag{
			Key: f.Key, Evaluations: f.Evaluations, TooFew: f.TooFew, Samples: f.Samples, Changed: f.Changed, Changes: []api.ImpactChange{},
			ErrorsBefore: f.ErrorsBefore, ErrorsAfter: f.ErrorsAfter, Fails: f.Fails,
		}
		for _, c := range f.Changes {
			flag.Changes = append(flag.Changes, api.ImpactChange(c))
		}
		out.Flags = append(out.Flags, flag)
	}
	return out
}
