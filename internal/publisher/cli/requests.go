package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/flagside/flagside/internal/publisher/admin"
)

// hashDigits is how much of a hash is shown, and must be said at least.
const hashDigits = 12

func requestCommands() []Command {
	return []Command{
		{words("request list"), "list the change requests of an environment", requestList},
		{words("request get"), "print a change request, and what it would change now", requestGet},
		{words("request open"), "open a change request for a command of the API", requestOpen},
		{words("request approve"), "agree to a change request as it is", requestApprove},
		{words("request reject"), "end a change request of somebody else", requestStep("reject", "Ends a change request of somebody else.", "is rejected")},
		{words("request comment"), "say something about a change request", requestComment},
		{words("request withdraw"), "end a change request of your own", requestStep("withdraw", "Ends a change request of your own.", "is withdrawn")},
		{words("request apply"), "apply a change request", requestStep("apply", "Applies a change request, or goes on with applying it.", "is applied")},
		{words("request rebase"), "make a change request anew, from what is there now", requestRebase},
		{
			words("request review"), "close what breaking the glass has left open",
			requestStep("review", "Says that somebody has looked at a change that went without approvals.", "is reviewed"),
		},
	}
}

// request declares the argument that names a change request.
func (f *form) request(id *string) *form {
	f.set.Argument(id, "REQUEST", "id of the change request")
	return f.inEnvironment()
}

func requestList() Invocation {
	var status string
	f := newForm("request list", "Lists the change requests of an environment, the oldest first.").inEnvironment()
	f.set.Choice(&status, "status", "",
		[]string{"open", "claimed", "applied", "needs_rebase", "failed", "rejected", "withdrawn", "expired"}, "only those with this status")
	return f.runs(func(ctx context.Context, s *session) error {
		c := admin.Call{Path: requestPath(f.environment)}
		if status != "" {
			c.Query = url.Values{"status": {status}}
		}
		return s.printAll(ctx, c, "after", list(
			at("REQUEST", "id"), column{"STATUS", requestStatus}, column{"APPROVALS", approvals}, column{"CHANGES", changes},
			at("AUTHOR", "author"), at("OPENED", "opened"), at("APPLY AT", "applyAt"), at("REASON", "reason"),
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
			texts[i] = strings.Join(present(word(remark, "by"), word(remark, "text")), ": ")
		}
		return strings.Join(texts, "; ")
	}
}

func requestGet() Invocation {
	var id string
	f := newForm("request get", "Prints a change request, and what it would change now. Its hash is what approve takes.").request(&id)
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: requestPath(f.environment, id)})
		if err != nil {
			return err
		}
		return s.print(found.Body, func(out io.Writer, value any) error {
			show := details(
				at("request", "id"), column{"status", requestStatus}, column{"hash", shortHash}, at("author", "author"), at("reason", "reason"),
				at("opened", "opened"), at("apply at", "applyAt"), column{"at most late", lateness}, at("expires", "expires"), at("break-glass", "breakGlass"),
				column{"approvals", approvals}, column{"approved by", remarks("approvals")}, column{"comments", remarks("comments")},
				column{"outcome", remarks("outcome")}, at("applied", "applied"), column{"review", remarks("review")},
			)
			if err := show(out, value); err != nil {
				return err
			}
			fmt.Fprintln(out, strings.Join(risks(value), "\n"))
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
		Status  string         `json:"status"`
		Changes []documentPart `json:"changes"`
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
		text := difference(side{name + " now", now.text}, side{name + " as proposed", proposed})
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

func requestOpen() Invocation {
	var file string
	f := newForm("request open", "Opens a change request for a command of the API, as POST /preview takes it. "+
		"For one document, the command that changes it with --propose is shorter.").inEnvironment()
	w := f.changes()
	f.set.String(&file, "file", "-", "file with the command, JSON; - is standard input").Short("f")
	return f.runs(func(ctx context.Context, s *session) error {
		c, err := readCommand(s.terminal.Stdin, file)
		if err != nil {
			return err
		}
		w.propose = true
		return w.write(ctx, s, change{environment: f.environment, command: c})
	})
}

func readCommand(in io.Reader, file string) (command, error) {
	var c command
	text, err := readDocument(in, file)
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // what is not understood is not to be left out
	if err := d.Decode(&c); err != nil {
		return c, &failure{exitInvalid, fmt.Sprintf("the command in %s: %v", file, err), ""}
	}
	return c, nil
}

func requestApprove() Invocation {
	var id, hash string
	f := newForm("request approve", "Agrees to a change request exactly as it is. If anything that it was made from has changed since, this is refused.").request(&id)
	r := f.remarks()
	f.set.String(&hash, "hash", "", fmt.Sprintf("hash of the change request as you have seen it, at least the first %d digits", hashDigits)).Require()
	f.check(func() bool { return len(hash) >= hashDigits }, fmt.Sprintf("--hash has at least %d digits", hashDigits))
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Path: requestPath(f.environment, id)})
		if err != nil {
			return err
		}
		value, err := decode(found.Body)
		if err != nil {
			return err
		}
		full := word(value, "hash")
		if !strings.HasPrefix(full, hash) {
			return &failure{exitConflict, "this is not the hash of the change request as it is now: read it again", problemType + "stale"}
		}
		body, err := json.Marshal(map[string]string{"hash": full})
		if err != nil {
			return err
		}
		found, err = s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: requestPath(f.environment, id, "approve"), Body: body}))
		return s.printRequest(found, err, "is approved")
	})
}

// requestStep returns a sub-command that takes a step which needs no more than a reason.
func requestStep(step, synopsis, done string) func() Invocation {
	return func() Invocation {
		var id string
		f := newForm("request "+step, synopsis).request(&id)
		r := f.remarks()
		return f.runs(func(ctx context.Context, s *session) error {
			found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: requestPath(f.environment, id, step)}))
			return s.printRequest(found, err, done)
		})
	}
}

func requestComment() Invocation {
	var id, text string
	f := newForm("request comment", "Says something about a change request.").request(&id)
	f.set.Argument(&text, "TEXT", "what is to be said")
	r := f.remarks()
	return f.runs(func(ctx context.Context, s *session) error {
		body, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			return err
		}
		found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: requestPath(f.environment, id, "comment"), Body: body}))
		return s.printRequest(found, err, "has your comment")
	})
}
