package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

func requestOpen() commandline.Invocation {
	var file string
	f := newForm("request open", "Opens a change request for a command of the API, as POST /preview takes it. "+
		"For one document, the command that changes it with --propose is shorter.").inEnvironment()
	w := f.changes()
	f.set.File(&file, "file", "-", "file with the command, JSON or YAML; - is standard input").Short("f")
	return f.runs(func(ctx context.Context, s *session) error {
		c, err := s.readCommand(file)
		if err != nil {
			return err
		}
		w.propose = true
		return w.write(ctx, s, change{environment: f.environment, command: c})
	})
}

func (s *session) readCommand(file string) (api.Command, error) {
	var c api.Command
	text, err := s.readDocument(file)
	if err != nil {
		return c, err
	}
	return c, decode(text, &c, "the command in "+file)
}

func requestApprove() commandline.Invocation {
	var id, hash string
	f := newForm("request approve", "Agrees to a change request exactly as it is. If anything that it was made from has changed since, this is refused.").request(&id)
	r := f.remarks()
	f.set.String(&hash, "hash", "", fmt.Sprintf("hash of the change request as you have seen it, at least the first %d digits", hashDigits)).Require()
	f.check(func() bool { return len(hash) >= hashDigits }, fmt.Sprintf("--hash has at least %d digits", hashDigits))
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.Request(ctx, f.environment, id)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(found.Hash, hash) {
			return &failure{code: exitConflict, text: "this is not the hash of the change request as it is now: read it again"}
		}
		impact := s.withImpact(ctx, f.environment, found).Impact
		found, err = s.client.ApproveRequest(ctx, f.environment, id, found.Hash, r.headers())
		found.Impact = impact
		return s.printRequest(found, err, "is approved")
	})
}

// takeStep is a step of a change request that needs no more than a reason.
type takeStep func(c *client.Client, ctx context.Context, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error)

// applyRequest applies a change request. What the publisher has not applied is a failure, whatever else has become of it.
func applyRequest(ctx context.Context, c *client.Client, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	r, err := c.ApplyRequest(ctx, environment, id, h)
	if err != nil || r.Status == "applied" {
		return r, err
	}
	f := &failure{code: exitConflict, text: fmt.Sprintf("change request %s is not applied, it is %s", r.ID, r.Status)}
	if said := outcome(r.Names, r.Outcome); said != absent {
		f.text += ": " + said
	}
	switch r.Status {
	case "needs_rebase":
		f.text += fmt.Sprintf("\nmake the change again; flagside request rebase %[1]s -e %[2]s updates this one, and flagside request withdraw %[1]s -e %[2]s ends it", r.ID, environment)
	case "claimed":
		f.code = exitUndecided
		f.text += fmt.Sprintf("\nrun flagside request apply %s -e %s, which goes on", r.ID, environment)
	}
	f.text = visible(f.text)
	return r, f
}

// requestStep returns a sub-command that takes a step.
func requestStep(step, synopsis, done string, take takeStep) func() commandline.Invocation {
	return func() commandline.Invocation {
		var id string
		f := newForm("request "+step, synopsis).request(&id)
		r := f.remarks()
		return f.runs(func(ctx context.Context, s *session) error {
			found, err := take(s.client, ctx, f.environment, id, r.headers())
			if client.IsProblem(err, api.ProblemApprovalRequired) {
				err = s.unapproved(ctx, f.environment, id, err)
			}
			return s.printRequest(found, err, done)
		})
	}
}

// unapproved returns the error of a step that a change request lacks approvals for: how many, and how they are given.
func (s *session) unapproved(ctx context.Context, environment, id string, refused error) error {
	r, err := s.client.Request(ctx, environment, id)
	if err != nil {
		return refused
	}
	text := fmt.Sprintf("change request %[1]s has %[2]s approvals: ask another person to run flagside request approve %[1]s -e %[3]s --hash %[4]s, and apply it then",
		id, approvals(r), environment, shortHash(r))
	return &failure{code: exitApproval, text: visible(text)}
}

func requestComment() commandline.Invocation {
	var id, text string
	f := newForm("request comment", "Comments on a change request.").request(&id)
	f.set.Argument(&text, "TEXT", "what is to be said; it cannot be erased: do not name a person")
	r := f.remarks()
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.CommentRequest(ctx, f.environment, id, text, r.headers())
		return s.printRequest(found, err, "has your comment")
	})
}
