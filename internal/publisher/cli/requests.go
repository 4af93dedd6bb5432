package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// hashDigits is how much of a hash is shown, and must be said at least.
const hashDigits = 12

func requestCommands() []commandline.Command {
	applied := func(c *client.Client, ctx context.Context, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error) {
		return applyRequest(ctx, c, environment, id, h)
	}
	return []commandline.Command{
		command("request list", "list the change requests of an environment", requestList),
		command("request get", "print a change request, and what it would change now", requestGet),
		command("request open", "open a change request for a command of the API", requestOpen),
		command("request approve", "agree to a change request as it is", requestApprove),
		command("request reject", "end a change request of another person", requestStep("reject", "Ends a change request of another person.", "is rejected", (*client.Client).RejectRequest)),
		command("request comment", "say something about a change request", requestComment),
		command("request withdraw", "end a change request of your own", requestStep("withdraw", "Ends a change request of your own.", "is withdrawn", (*client.Client).WithdrawRequest)),
		command("request apply", "apply a change request", requestStep("apply", "Applies a change request, or continues to apply it.", "is applied", applied)),
		command("request rebase", "update your change request to the current state", requestRebase),
		command("request review", "close what breaking the glass has left open",
			requestStep("review", "Records that you reviewed a change that went without approvals.", "is reviewed", (*client.Client).ReviewRequest)),
	}
}

// request declares the argument that names a change request.
func (f *form) request(id *string) *form {
	f.set.Argument(id, "REQUEST", "id of the change request").Of(namesRequest)
	return f.inEnvironment()
}

func requestList() commandline.Invocation {
	var q api.RequestQuery
	f := newForm("request list", "Lists the change requests of an environment, the oldest first.").inEnvironment()
	f.set.Choice(&q.Status, "status", "",
		[]string{"open", "claimed", "applied", "needs_rebase", "failed", "rejected", "withdrawn", "expired"}, "only those with this status")
	f.set.Bool(&q.Review, "needs-review", false, "only those that were applied without approvals and have not been reviewed")
	return f.runs(func(ctx context.Context, s *session) error {
		all, err := s.client.AllRequests(ctx, f.environment, q)
		return s.answer(items[api.ChangeRequest]{all}, err, list("REQUEST|STATUS|APPROVALS|CHANGES|AUTHOR|OPENED|APPLY AT|REASON", all, func(r api.ChangeRequest) []string {
			return []string{
				cell(r.ID), requestStatus(r), approvals(r), changes(r), nameCell(r.Names, r.Author), timeCell(r.Opened), timeCell(r.ApplyAt), cell(r.Reason),
			}
		}))
	})
}

// requestStatus says in a word or two how far a change request is.
func requestStatus(r api.ChangeRequest) string {
	return printable(r.Status) + toBeReviewed(r.ReviewOpen)
}

// approvals says how many have agreed, of how many that policies asked for.
func approvals(r api.ChangeRequest) string {
	return fmt.Sprintf("%d of %d", len(r.Approvals), r.Needed)
}

// changes says what a change request changes.
func changes(r api.ChangeRequest) string {
	texts := make([]string, len(r.Changes))
	for i, c := range r.Changes {
		texts[i] = words(c.Kind, c.Key)
		if undecided(r) && c.Document == nil {
			texts[i] += " (deleted)"
		}
	}
	return some(texts)
}

// undecided reports whether it is still to be seen what becomes of a change request. Lists have no documents of the others.
func undecided(r api.ChangeRequest) bool {
	switch r.Status {
	case "applied", "rejected", "withdrawn", "expired", "failed":
		return false
	default:
		return true
	}
}

// shortHash returns as much of a hash as is shown.
func shortHash(r api.ChangeRequest) string { return printable(r.Hash[:min(len(r.Hash), hashDigits)]) }

// remarks says who said what.
func remarks(names api.Names, all ...api.Remark) string {
	if len(all) == 0 {
		return absent
	}
	texts := make([]string, len(all))
	for i, r := range all {
		who := ""
		if r.By != "" {
			who = nameCell(names, r.By)
		}
		texts[i] = strings.Join(present(who, printable(r.Text)), ": ")
	}
	return strings.Join(texts, "; ")
}

// outcome says who said what, if it was said.
func outcome(names api.Names, r *api.Remark) string {
	if r == nil {
		return absent
	}
	return remarks(names, *r)
}
