package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
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

func (s *session) readCommand(file string) (admin.Command, error) {
	var c admin.Command
	text, err := s.readDocument(file)
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(text.JSON()))
	d.DisallowUnknownFields() // what is not understood is not to be left out
	if err := d.Decode(&c); err != nil {
		return c, &failure{code: exitInvalid, text: fmt.Sprintf("the command in %s: %v", file, err)}
	}
	return c, nil
}

func requestApprove() commandline.Invocation {
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
			return &failure{code: exitConflict, text: "this is not the hash of the change request as it is now: read it again", problem: problemType + "stale"}
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
func requestStep(step, synopsis, done string) func() commandline.Invocation {
	return func() commandline.Invocation {
		var id string
		f := newForm("request "+step, synopsis).request(&id)
		r := f.remarks()
		return f.runs(func(ctx context.Context, s *session) error {
			found, err := s.do(ctx, r.on(admin.Call{Method: http.MethodPost, Path: requestPath(f.environment, id, step)}))
			if isProblem(err, "approval-required") {
				err = s.unapproved(ctx, f.environment, id, err)
			}
			return s.printRequest(found, err, done)
		})
	}
}

// unapproved returns the error of a step that a change request lacks approvals for: how many, and how they are given.
func (s *session) unapproved(ctx context.Context, environment, id string, refused error) error {
	found, err := s.do(ctx, admin.Call{Path: requestPath(environment, id)})
	if err != nil {
		return refused
	}
	value, err := decode(found.Body)
	if err != nil {
		return refused
	}
	text := fmt.Sprintf("change request %[1]s has %[2]s approvals: ask another person to run flagside request approve %[1]s -e %[3]s --hash %[4]s, and apply it then",
		id, approvals(value), environment, shortHash(value))
	return &failure{code: exitApproval, text: visible(text), problem: problemType + "approval-required"}
}

func requestComment() commandline.Invocation {
	var id, text string
	f := newForm("request comment", "Says something about a change request.").request(&id)
	f.set.Argument(&text, "TEXT", "what is to be said; it cannot be erased: do not name a person")
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
