package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/api"
)

// proposal returns what opens a change request, or makes one anew.
func (w *changeFlags) proposal(c change) (n api.NewRequest, err error) {
	now := time.Now()
	applyAt, err := timeOf(w.applyAt, now)
	if err != nil {
		return n, err
	}
	expires, err := timeOf(w.expires, now)
	if err != nil {
		return n, err
	}
	return api.NewRequest{
		Command: c.command, ApplyAt: applyAt, LateSeconds: int64((w.late + time.Second - 1) / time.Second), Expires: expires, BreakGlass: w.breakGlass,
	}, nil
}

// preview prints what a change would do.
func (w *changeFlags) preview(ctx context.Context, s *session, c change) error {
	found, err := s.preview(ctx, c.environment, c.command, w.impact)
	return s.answer(found, err, func(out io.Writer) error { return previewed(out, found) })
}

// preview asks what a command would do, and sidecars what it would do to recent evaluations, if they are to be asked.
func (s *session) preview(ctx context.Context, environment string, c api.Command, impact bool) (api.Preview, error) {
	if impact {
		return s.client.PreviewImpact(ctx, environment, c)
	}
	return s.client.Preview(ctx, environment, c)
}

// open opens a change request, or makes one anew, and applies it at once if it breaks the glass.
func (w *changeFlags) open(ctx context.Context, s *session, c change) error {
	n, err := w.proposal(c)
	if err != nil {
		return err
	}
	if w.rebase != "" {
		found, err := s.client.RebaseRequest(ctx, c.environment, w.rebase, n, w.headers())
		return w.opened(ctx, s, c.environment, found, err, "is updated to the current state")
	}
	found, err := s.client.OpenRequest(ctx, c.environment, n, w.headers())
	return w.opened(ctx, s, c.environment, found, err, "is opened")
}

// opened prints a change request that was opened, and applies it first if it breaks the glass.
func (w *changeFlags) opened(ctx context.Context, s *session, environment string, r api.ChangeRequest, err error, done string) error {
	if err != nil || !w.breakGlass {
		return s.printRequest(r, err, done)
	}
	applied, err := applyRequest(ctx, s.client, environment, r.ID, (&auditFlags{reason: w.reason}).headers())
	err = s.printRequest(applied, err, "is applied without approvals: ask another person to run flagside request review "+printable(r.ID))
	if err != nil {
		return err
	}
	return w.then(ctx, s, environment, applied.Applied)
}

// previewed prints a preview for people.
func previewed(out io.Writer, p api.Preview) error {
	if err := differences(out, p.Differences); err != nil || len(p.Differences) == 0 {
		return err
	}
	_, err := fmt.Fprintln(out, strings.Join(append(stakes(p), impactLines(p.Impact)...), "\n")+warnings(p.Warnings))
	return err
}

// differences prints what a preview would change.
func differences(out io.Writer, all []api.Difference) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "nothing would change")
		return err
	}
	for _, d := range all {
		before, err := pretty(d.Before)
		if err != nil {
			return err
		}
		after, err := pretty(d.After)
		if err != nil {
			return err
		}
		name := words(d.Kind, d.Key)
		fmt.Fprint(out, difference(side{name: name + " now", text: before}, side{name: name + " then", text: after}))
	}
	return nil
}

// pretty returns JSON as indented lines, none if there is none.
func pretty(document []byte) (string, error) {
	if document == nil {
		return "", nil
	}
	text, err := indented(document)
	return string(text), err
}

// stakes says what a change puts at stake, and who would have to agree.
func stakes(p api.Preview) []string {
	lines := risks(p.Risk)
	switch {
	case p.Refused == nil:
		lines = append(lines, "you may do it at once")
	case p.Refused.Approvals > 0:
		lines = append(lines, "approvals needed: "+decimal(p.Refused.Approvals)+"; open a change request with --propose")
	default:
		lines = append(lines, "you may not do it: "+printable(p.Refused.Detail))
	}
	return lines
}

// risks says what a change puts at stake.
func risks(r api.Risk) []string {
	lines := []string{"risk: not high"}
	if r.High {
		lines[0] = "risk: high"
	}
	for _, reason := range r.Reasons {
		lines = append(lines, "  "+printable(reason.Sentence))
	}
	return lines
}

// printRequest prints a change request after something was done to it, unless that failed.
func (s *session) printRequest(r api.ChangeRequest, err error, done string) error {
	return s.answer(r, err, func(out io.Writer) error {
		text := fmt.Sprintf("change request %s %s", printable(r.ID), done)
		switch r.Status {
		case "open":
			text += fmt.Sprintf("; approvals: %s; hash %s", approvals(r), shortHash(r))
		case "applied":
			text += "; revision " + cell(r.Applied)
		case "claimed", "needs_rebase", "failed":
			text += "; it is " + r.Status
		}
		_, err := fmt.Fprintln(out, strings.Join(append([]string{text}, impactLines(r.Impact)...), "\n")+warnings(r.Warnings))
		return err
	})
}
