package control

import (
	"context"
	"errors"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Restored is what became of a Restoring or a NewEpoch.
type Restored struct {
	requests.Restoration

	// Preview is what changes, or would.
	Preview decide.Preview
	// Request is the change request; zero if nothing was to change, and after a dry run.
	Request requests.Request
	// Remaining is how many documents differ that are no part of the request.
	Remaining int
	// Waits is why the request was not applied at once; nil if it was.
	Waits *decide.Refusal
}

// Restore opens a change request that makes the documents those of a snapshot, and applies it if policies permit that at once. Otherwise it
// waits for approvals. The log goes on: no epoch begins. The errors are those of Do.
func (s *Service) Restore(ctx context.Context, o decide.Origin, r decide.Restoring) (Restored, error) {
	if s.options.ReadOnly != "" && !r.DryRun {
		return Restored{}, s.readOnly()
	}
	state, err := s.Current(ctx)
	if err != nil {
		return Restored{}, err
	}
	command, remaining, err := r.Command(state)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Restoration: command.Restoration, Remaining: remaining}
	if out.Preview, err = s.Preview(ctx, o, command); err != nil || len(command.Changes) == 0 {
		return out, err
	}
	if r.DryRun {
		if refused := command.Refused(state); refused != nil {
			out.Preview.Refused = refused
		}
		return out, nil
	}
	var candidate *decide.Candidate
	if out.Request, candidate, err = s.openRequest(ctx, o, decide.ProposalSpec{Command: command, BreakGlass: r.BreakGlass}); err != nil {
		return out, err
	}
	return out, s.applyRestore(ctx, o, r, candidate, &out)
}

// applyRestore applies the change request of a Restore, unless it has to wait for others.
func (s *Service) applyRestore(ctx context.Context, o decide.Origin, r decide.Restoring, compiled *decide.Candidate, out *Restored) error {
	opened := out.Request
	if waits, refusal := r.Waits(opened); waits {
		out.Waits = refusal
		return nil
	}
	applied, err := s.apply(ctx, o, opened.ID, compiled)
	if err == nil {
		out.Request = applied
		return nil
	}
	refusal, ok := errors.AsType[*decide.Refusal](err)
	if !ok {
		return err
	}
	refusal.Request = opened.ID
	if r.BreakGlass || refusal.Cause != decide.CauseForbidden && refusal.Cause != decide.CauseApprovalRequired {
		return refusal
	}
	out.Waits = refusal
	return nil
}
