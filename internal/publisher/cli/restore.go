package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/sync/changelog"
)

// restoring are the options of what restores or recreates an environment.
type restoring struct {
	remark
	admin.Restoring
}

func (f *form) restores() *restoring {
	r := &restoring{}
	r.declare(f)
	f.set.Bool(&r.DryRun, "dry-run", false, "say what would change, what is at stake and who would have to agree, and change nothing")
	f.set.Bool(&r.BreakGlass, "break-glass", false, "do it without approvals; it has to be reviewed afterwards")
	f.check(func() bool { return !r.BreakGlass || r.reason != "" }, "--break-glass needs a --reason")
	return r
}

func environmentRecreate() commandline.Invocation {
	f := newForm("environment recreate", "Writes what a running publisher knows of an environment as a new epoch of its log, "+
		"even if the log is damaged, and creates missing streams. Unless it is certain that no document changes, it takes --break-glass.").
		named("name of the environment")
	r := f.restores()
	return f.runs(func(ctx context.Context, s *session) error {
		return r.run(ctx, s, f.environment, admin.Call{Path: []string{"environments", f.environment, "recreate"}})
	})
}

func environmentRestore() commandline.Invocation {
	var file string
	f := newForm("environment restore", "Makes an environment what a snapshot is: puts what the snapshot has, and deletes what it lacks. It is a change request as any other, "+
		"applied at once if policies permit that. If the log cannot go on, it is a new epoch, and takes --break-glass.").named("name of the environment")
	f.set.Argument(&file, "FILE", "snapshot to restore, such as a sidecar keeps in its data directory").File()
	r := f.restores()
	f.set.Bool(&r.Part, "parts", false, "make as many change requests, one after the other, as it takes; each leaves a valid environment")
	return f.runs(func(ctx context.Context, s *session) error {
		snapshot, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !changelog.IsSnapshot(snapshot) {
			return fmt.Errorf("%s is not a snapshot", file)
		}
		return r.run(ctx, s, f.environment, admin.Call{
			Path: []string{"environments", f.environment, "restore"}, Body: snapshot, Media: admin.SnapshotMedia,
		})
	})
}

// run makes the call, and the one for the next part while there is one.
func (r *restoring) run(ctx context.Context, s *session, environment string, c admin.Call) error {
	c.Method, c.Query, c.BreakGlass = http.MethodPost, r.Query(), r.BreakGlass
	for part := 1; ; part++ {
		next := *r
		if r.key != "" && part > 1 { // each part is another change
			next.key = fmt.Sprintf("%s-%d", r.key, part)
		}
		more, err := next.part(ctx, s, environment, next.on(c))
		if err != nil || !more {
			return err
		}
	}
}

// part makes one call, prints what changes and what became of it, and reports whether there is a next part. That it waits for approvals is an
// error with an exit code of its own.
func (r *restoring) part(ctx context.Context, s *session, environment string, c admin.Call) (more bool, err error) {
	found, err := s.do(ctx, c)
	if err != nil {
		return false, err
	}
	var out struct {
		Outcome   string          `json:"outcome"`
		Preview   json.RawMessage `json:"preview"`
		Remaining int             `json:"remaining"`
		Request   struct {
			ID string `json:"id"`
		} `json:"changeRequest"`
	}
	if err := json.Unmarshal(found.Body, &out); err != nil {
		return false, fmt.Errorf("the publisher's answer: %w", err)
	}
	err = s.print(found.Body, func(w io.Writer, value any) error {
		if _, err := differences(w, out.Preview); err != nil {
			return err
		}
		return restored(w, environment, value)
	})
	if err == nil && out.Outcome == "waiting" {
		return false, &failure{code: exitApproval, text: fmt.Sprintf("change request %s waits for approval: ask another person to look at it with flagside request get %s -e %s and to approve it",
			out.Request.ID, out.Request.ID, environment)}
	}
	return out.Outcome == "applied" && out.Remaining > 0, err
}

// wouldNeed says what has to be done to carry out what was previewed.
func wouldNeed(value any) string {
	needed := find(value, "preview.refused.approvals")
	switch {
	case find(value, "newEpoch") == false && find(value, "inHistory") == false:
		return "the log does not have the revision of the snapshot: only --break-glass with --reason restores it"
	case find(value, "preview.refused") == nil:
		return "you may do it at once"
	case needed != nil:
		return "approvals needed: " + cell(needed) + "; without --dry-run this opens the change request"
	default:
		return "you may not do it at once: " + word(value, "preview.refused.detail")
	}
}

// restored says what became of an environment.
func restored(w io.Writer, environment string, value any) (err error) {
	id := word(value, "changeRequest.id")
	if risky := strings.Join(risks(find(value, "preview")), "\n"); find(value, "preview.risk.high") == true {
		if _, err := fmt.Fprintln(w, risky); err != nil {
			return err
		}
	}
	switch word(value, "outcome") {
	case "preview":
		_, err = fmt.Fprintln(w, wouldNeed(value))
	case "unchanged":
		_, err = fmt.Fprintf(w, "environment %s is what the snapshot is: nothing to change\n", environment)
	case "waiting":
		if reason := word(value, "waits.detail"); reason != "" {
			_, err = fmt.Fprintln(w, reason)
		}
	default:
		done := "is restored"
		if find(value, "newEpoch") == true {
			done = "has a new epoch"
		}
		_, err = fmt.Fprintf(w, "environment %s %s with %s flags at revision %s; change request %s\n",
			environment, done, cell(find(value, "environment.flags")), cell(find(value, "environment.revision")), id)
	}
	if err == nil && find(value, "changeRequest.reviewOpen") == true {
		_, err = fmt.Fprintf(w, "it went without approvals: ask another person to run flagside request review %s -e %s\n", id, environment)
	}
	if err == nil && find(value, "remaining") != nil {
		_, err = fmt.Fprintf(w, "documents that still differ: %s\n", cell(find(value, "remaining")))
	}
	return err
}
