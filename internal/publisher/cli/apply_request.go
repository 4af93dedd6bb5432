package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/source"
)

// request makes a part the change request of the source, which has one at a time, and applies it if enough have approved. It reports whether nothing
// is left to do; later is how many documents come after the part.
func (a *applying) request(ctx context.Context, live liveDocuments, part []source.Change, command api.Command, later int) (done bool, err error) {
	own, err := a.ownRequests(ctx)
	if err != nil {
		return false, err
	}
	var r api.ChangeRequest
	wanted, headers := api.NewRequest{Command: command, Source: a.owner}, (&auditFlags{reason: a.reason}).headers()
	switch source.Request(waiting(own), part) {
	case source.Open:
		r, err = a.client.OpenRequest(ctx, a.environment, wanted, headers)
	case source.Rebase:
		r, err = a.client.RebaseRequest(ctx, a.environment, own[0].ID, wanted, headers)
	default:
		r = own[0]
	}
	switch {
	case client.IsProblem(err, api.ProblemPreconditionFailed):
		return false, errMoved
	case client.IsProblem(err, api.ProblemTooLarge) && len(part) > 1:
		a.documents, a.bytes = len(part)/2, a.bytes/2
		return false, nil // in smaller steps
	case err != nil:
		return false, a.interrupted(ctx, err)
	}
	a.report.Result, a.report.Request = resultPending, r.ID
	if a.wait && len(r.Approvals) < r.Needed {
		if err := a.say("change request %s waits; approvals: %s; hash %s", printable(r.ID), approvals(r), shortHash(r)); err != nil {
			return false, err
		}
	}
	return a.applyRequest(ctx, live, part, r, later)
}

// applyRequest applies a change request once enough have approved, and waits for that if it is to.
func (a *applying) applyRequest(ctx context.Context, live liveDocuments, part []source.Change, r api.ChangeRequest, later int) (done bool, err error) {
	for {
		if r.Status == "open" && len(r.Approvals) >= r.Needed {
			applied, err := a.client.ApplyRequest(ctx, a.environment, r.ID, api.ChangeHeaders{Reason: a.reason})
			if err == nil {
				r = applied
			} else if refused := a.session.failure(ctx, err); ExitCode(refused) != exitApproval && ExitCode(refused) != exitConflict {
				return false, a.interrupted(ctx, err)
			}
		}
		switch r.Status {
		case "applied":
			a.wrote(live, part, r.Applied)
			if later > 0 {
				return false, nil
			}
			return true, a.ended(ctx)
		case "needs_rebase":
			return false, errMoved
		case "rejected", "withdrawn", "expired", "failed":
			return false, a.refusedRequest(r)
		}
		if !a.wait || time.Now().Add(poll).After(a.deadline) {
			return false, a.pending(live, part, r, later)
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if r, err = a.client.Request(ctx, a.environment, r.ID); err != nil {
			return false, err
		}
	}
}

// ownRequests returns the change requests of the source that wait: those that the caller has opened in its name.
func (a *applying) ownRequests(ctx context.Context) (own []api.ChangeRequest, err error) {
	me, err := a.client.WhoAmI(ctx)
	if err != nil {
		return nil, err
	}
	for _, status := range []string{"open", "needs_rebase"} {
		all, err := a.client.AllRequests(ctx, a.environment, api.RequestQuery{Status: status})
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if r.Author == me.ID && r.Source == a.owner {
				own = append(own, r)
			}
		}
	}
	return own, nil
}

// withdraw ends the change requests of the source where nothing is left that they could be needed for.
func (a *applying) withdraw(ctx context.Context) error {
	own, err := a.ownRequests(ctx)
	if err != nil {
		return err
	}
	for _, r := range own {
		_, err := a.client.WithdrawRequest(ctx, a.environment, r.ID, api.ChangeHeaders{Reason: "Nothing that it changes is to be changed any more."})
		switch {
		case err == nil:
		case ExitCode(a.session.failure(ctx, err)) == exitConflict:
			return errMoved // it was applied or has ended meanwhile
		default:
			return a.interrupted(ctx, err)
		}
		a.report.Withdrawn = append(a.report.Withdrawn, r.ID)
	}
	return nil
}

// waiting returns change requests as a source sees them.
func waiting(own []api.ChangeRequest) (list []source.Waiting) {
	for _, r := range own {
		w := source.Waiting{ID: r.ID, Open: r.Status == "open"}
		for _, c := range r.Changes {
			w.Documents = append(w.Documents, document.Document{Kind: document.Kind(c.Kind), Key: c.Key, Body: c.Document})
		}
		list = append(list, w)
	}
	return list
}

// refusedRequest says that a change request has ended without being applied.
func (a *applying) refusedRequest(r api.ChangeRequest) error {
	text := fmt.Sprintf("change request %s is %s", printable(r.ID), printable(r.Status))
	if said := outcome(r.Names, r.Outcome); said != absent {
		text += ": " + said
	}
	return &failure{code: exitRefused, text: text}
}

// pending prints that a change request waits for approvals. That is the error, too.
func (a *applying) pending(live liveDocuments, part []source.Change, r api.ChangeRequest, later int) error {
	a.report.Changes = append(a.report.Changes, live.planned(part, resultPending)...)
	if a.output != formatTable {
		if err := a.print(a.report, nil); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("change request %s waits for approval: another person runs flagside request approve %s -e %s --hash %s; then run the same again",
		printable(r.ID), printable(r.ID), a.environment, shortHash(r))
	if later > 0 {
		text += fmt.Sprintf("\nit is the first step: %s come after it", counted(later, "document", "documents"))
	}
	return &failure{code: exitApproval, text: text}
}
