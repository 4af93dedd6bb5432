package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/sync/changelog"
)

// restoreFlags are the options of what restores or recreates an environment.
type restoreFlags struct {
	auditFlags

	dryRun, breakGlass, parts bool
}

func (f *form) restores() *restoreFlags {
	r := &restoreFlags{}
	r.declare(f)
	f.set.Bool(&r.dryRun, "dry-run", false, "say what would change, what is at stake and who would have to agree, and change nothing")
	f.set.Bool(&r.breakGlass, "break-glass", false, "do it without approvals; it has to be reviewed afterwards")
	f.check(func() bool { return !r.breakGlass || r.reason != "" }, "--break-glass needs a --reason")
	return r
}

func environmentRecreate() commandline.Invocation {
	f := newForm("environment recreate", "Writes what a running publisher knows of an environment as a new epoch of its log, "+
		"even if the log is damaged, and creates missing streams. Unless it is certain that no document changes, it takes --break-glass.").
		named("name of the environment")
	r := f.restores()
	return f.runs(func(ctx context.Context, s *session) error {
		return r.run(s, f.environment, func(h api.RestoreHeaders) (api.Restored, error) {
			return s.client.RecreateEnvironment(ctx, f.environment, api.RecreateQuery{DryRun: r.dryRun}, h)
		})
	})
}

func environmentRestore() commandline.Invocation {
	var file string
	f := newForm("environment restore", "Makes an environment what a snapshot is: puts what the snapshot has, and deletes what it lacks. It is a change request as any other, "+
		"applied at once if policies permit that. If the log cannot go on, it is a new epoch, and takes --break-glass.").named("name of the environment")
	f.set.Argument(&file, "FILE", "snapshot to restore, such as a sidecar keeps in its data directory").File()
	r := f.restores()
	f.set.Bool(&r.parts, "parts", false, "make as many change requests, one after the other, as it takes; each leaves a valid environment")
	return f.runs(func(ctx context.Context, s *session) error {
		snapshot, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !changelog.IsSnapshot(snapshot) {
			return fmt.Errorf("%s is not a snapshot: name a snapshot such as a sidecar keeps in its data directory", file)
		}
		return r.run(s, f.environment, func(h api.RestoreHeaders) (api.Restored, error) {
			return s.client.RestoreEnvironment(ctx, f.environment, snapshot, api.RestoreQuery{DryRun: r.dryRun, Part: r.parts}, h)
		})
	})
}

// run makes the call, and the one for the next part while there is one.
func (r *restoreFlags) run(s *session, environment string, restore func(api.RestoreHeaders) (api.Restored, error)) error {
	for part := 1; ; part++ {
		h := api.RestoreHeaders{ChangeHeaders: r.headers(), BreakGlass: r.breakGlass}
		if r.key != "" && part > 1 { // each part is another change
			h.IdempotencyKey = fmt.Sprintf("%s-%d", r.key, part)
		}
		found, err := restore(h)
		if err != nil {
			return err
		}
		if err := s.printRestored(environment, found); err != nil {
			return err
		}
		if found.Outcome != "applied" || found.Remaining == 0 {
			return nil
		}
	}
}

// printRestored prints what changes and what became of it. That it waits for approvals is an error with an exit code of its own.
func (s *session) printRestored(environment string, r api.Restored) error {
	err := s.print(r, func(out io.Writer) error {
		if err := differences(out, r.Preview.Differences); err != nil {
			return err
		}
		return restored(out, environment, r)
	})
	if err == nil && r.Outcome == "waiting" {
		id := requestID(r)
		return &failure{code: exitApproval, text: fmt.Sprintf("change request %s waits for approval: ask another person to look at it with flagside request get %s -e %s and to approve it",
			id, id, environment)}
	}
	return err
}

// requestID returns the id of the change request of a restoration, if it has one.
func requestID(r api.Restored) string {
	if r.Request == nil {
		return ""
	}
	return printable(r.Request.ID)
}

// wouldNeed says what has to be done to carry out what was previewed.
func wouldNeed(r api.Restored) string {
	refused := r.Preview.Refused
	switch {
	case !r.NewEpoch && !r.InHistory:
		return "the log does not have the revision of the snapshot: only --break-glass with --reason restores it"
	case refused == nil:
		return "you may do it at once"
	case refused.Approvals > 0:
		return "approvals needed: " + decimal(refused.Approvals) + "; without --dry-run this opens the change request"
	default:
		return "you may not do it at once: " + printable(refused.Detail)
	}
}

// restored says what became of an environment.
func restored(w io.Writer, environment string, r api.Restored) error {
	var lines []string
	if r.Preview.Risk.High {
		lines = append(lines, risks(r.Preview.Risk)...)
	}
	switch r.Outcome {
	case "preview":
		lines = append(lines, wouldNeed(r))
	case "unchanged":
		lines = append(lines, fmt.Sprintf("environment %s is what the snapshot is: nothing to change", environment))
	case "waiting":
		if r.Waits != nil {
			lines = append(lines, present(printable(r.Waits.Detail))...)
		}
	default:
		done := "is restored"
		if r.NewEpoch {
			done = "has a new epoch"
		}
		lines = append(lines, fmt.Sprintf("environment %s %s with %d flags at revision %s; change request %s",
			environment, done, r.Environment.Flags, cell(r.Environment.Revision), requestID(r)))
	}
	if r.Request != nil && r.Request.ReviewOpen {
		lines = append(lines, fmt.Sprintf("it went without approvals: ask another person to run flagside request review %s -e %s", requestID(r), environment))
	}
	if r.Remaining > 0 {
		lines = append(lines, fmt.Sprintf("documents that still differ: %d", r.Remaining))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
