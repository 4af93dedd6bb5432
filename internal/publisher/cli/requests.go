package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// hashDigits is how much of a hash is shown, and must be said at least.
const hashDigits = 12

func requestCommands() []commandline.Command {
	return []commandline.Command{
		command("request list", "list the change requests of an environment", requestList),
		command("request get", "print a change request, and what it would change now", requestGet),
		command("request open", "open a change request for a command of the API", requestOpen),
		command("request approve", "agree to a change request as it is", requestApprove),
		command("request reject", "end a change request of another person", requestStep("reject", "Ends a change request of another person.", "is rejected")),
		command("request comment", "say something about a change request", requestComment),
		command("request withdraw", "end a change request of your own", requestStep("withdraw", "Ends a change request of your own.", "is withdrawn")),
		command("request apply", "apply a change request", requestStep("apply", "Applies a change request, or goes on with applying it.", "is applied")),
		command("request rebase", "update your change request to the current state", requestRebase),
		command("request review", "close what breaking the glass has left open",
			requestStep("review", "Records that you reviewed a change that went without approvals.", "is reviewed")),
	}
}

// request declares the argument that names a change request.
func (f *form) request(id *string) *form {
	f.set.Argument(id, "REQUEST", "id of the change request").Of(namesRequest)
	return f.inEnvironment()
}

func requestList() commandline.Invocation {
	var status string
	var needsReview bool
	f := newForm("request list", "Lists the change requests of an environment, the oldest first.").inEnvironment()
	f.set.Choice(&status, "status", "",
		[]string{"open", "claimed", "applied", "needs_rebase", "failed", "rejected", "withdrawn", "expired"}, "only those with this status")
	f.set.Bool(&needsReview, "needs-review", false, "only those that were applied without approvals and have not been reviewed")
	return f.runs(func(ctx context.Context, s *session) error {
		c := admin.Call{Path: requestPath(f.environment), Query: url.Values{}}
		if status != "" {
			c.Query.Set("status", status)
		}
		if needsReview {
			c.Query.Set("needsReview", "true")
		}
		return s.printAll(ctx, c, "after", list(
			at("REQUEST", "id"), column{"STATUS", requestStatus}, column{"APPROVALS", approvals}, column{"CHANGES", changes},
			named("AUTHOR", "author"), at("OPENED", "opened"), at("APPLY AT", "applyAt"), at("REASON", "reason"),
		))
	})
}

// requestStatus says in a word or two how far a change request is.
func requestStatus(r any) string {
	if find(r, "reviewOpen") == true {
		return word(r, "status") + ", to be reviewed"
	}
	return word(r, "status")
}

// approvals says how many have agreed, of how many that policies asked for.
func approvals(r any) string {
	given, _ := find(r, "approvals").([]any)
	return fmt.Sprintf("%d of %s", len(given), cell(find(r, "approvalsNeeded")))
}

// changes says what a change request changes.
func changes(r any) string {
	all, _ := find(r, "changes").([]any)
	texts := make([]string, len(all))
	for i, c := range all {
		texts[i] = strings.Join(present(word(c, "kind"), word(c, "key")), " ")
		if undecided(r) && find(c, "document") == nil {
			texts[i] += " (deleted)"
		}
	}
	return some(texts)
}

// some returns the first of several texts, and how many more there are.
func some(texts []string) string {
	if len(texts) == 0 {
		return absent
	}
	if len(texts) > 3 {
		texts = append(texts[:2], fmt.Sprintf("%d more", len(texts)-2))
	}
	return strings.Join(texts, ", ")
}

// undecided reports whether it is still to be seen what becomes of a change request. Lists have no documents of the others.
func undecided(r any) bool {
	switch word(r, "status") {
	case "applied", "rejected", "withdrawn", "expired", "failed":
		return false
	default:
		return true
	}
}

// shortHash returns as much of a hash as is shown.
func shortHash(r any) string {
	hash := word(r, "hash")
	return hash[:min(len(hash), hashDigits)]
}

// remarks says who said what.
func remarks(path string) func(any) string {
	return func(r any) string {
		all, isList := find(r, path).([]any)
		if one := find(r, path); !isList && one != nil {
			all = []any{one}
		}
		if len(all) == 0 {
			return absent
		}
		texts := make([]string, len(all))
		for i, remark := range all {
			texts[i] = strings.Join(present(printable(fmt.Sprint(nameOf(r, word(remark, "by")))), word(remark, "text")), ": ")
		}
		return strings.Join(texts, "; ")
	}
}

func requestGet() commandline.Invocation {
	var id string
	f := newForm("request get", "Prints a change request, and what it would change now. Its hash is what approve takes.").request(&id)
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: requestPath(f.environment, id)})
		if err != nil {
			return err
		}
		return s.print(found.Body, func(out io.Writer, value any) error {
			show := details(
				at("request", "id"), column{"status", requestStatus}, column{"hash", shortHash}, named("author", "author"), at("reason", "reason"),
				at("opened", "opened"), at("apply at", "applyAt"), column{"at most late", lateness}, at("expires", "expires"), at("break-glass", "breakGlass"),
				column{"approvals", approvals}, column{"approved by", remarks("approvals")}, column{"comments", remarks("comments")},
				column{"outcome", remarks("outcome")}, at("applied", "applied"), column{"review", remarks("review")},
			)
			if err := show(out, value); err != nil {
				return err
			}
			fmt.Fprintln(out, strings.Join(risks(value), "\n")+warnings(value))
			return s.showChanges(ctx, out, f.environment, found.Body)
		})
	})
}

// lateness says how late a change request may be applied, if that is bounded.
func lateness(r any) string {
	seconds, ok := find(r, "lateSeconds").(json.Number)
	if !ok {
		return absent
	}
	return seconds.String() + " s"
}

// showChanges prints what a change request changes: beside what is there now while it is undecided.
func (s *session) showChanges(ctx context.Context, out io.Writer, environment string, body []byte) error {
	var r struct {
		Status  string                `json:"status"`
		Changes []admin.CommandChange `json:"changes"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return fmt.Errorf("the publisher's answer: %w", err)
	}
	for _, c := range r.Changes {
		proposed, err := pretty(c.Document)
		if err != nil {
			return err
		}
		name := printable(strings.Join(present(c.Kind, c.Key), " "))
		if r.Status != "open" && r.Status != "needs_rebase" {
			fmt.Fprintf(out, "%s as proposed:\n%s", name, proposed)
			continue
		}
		now, err := s.document(ctx, environment, c.Kind, c.Key)
		if err != nil {
			return err
		}
		text := difference(side{name: name + " now", text: now.text}, side{name: name + " as proposed", text: proposed})
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// document reads a document of any kind as it is now: the revision that it has, and its lines. There is neither if it does not exist.
func (s *session) document(ctx context.Context, environment, kind, key string) (side, error) {
	found, err := s.do(ctx, admin.Call{Path: documentPath(environment, kind, key)})
	if isAbsent(err) {
		return side{}, nil
	}
	if err != nil {
		return side{}, err
	}
	text, err := pretty(found.Body)
	return side{name: revision(found.Header), text: text}, err
}

// documentPath returns the path of a document of any kind.
func documentPath(environment, kind, key string) []string {
	switch kind {
	case "settings":
		return settingsPath(environment)
	case "segment":
		return segmentKind().path(environment, key)
	default:
		return flagKind().path(environment, key)
	}
}
