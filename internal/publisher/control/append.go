package control

import (
	"context"
	"fmt"

	flagsync "github.com/flagside/flagside/sync"
)

// append appends a change and notes what became of it. The caller may go away: what was begun is decided. An outcome that is open is an
// *Undecided.
func (s *Service) append(ctx context.Context, log Log, basis flagsync.Basis, c flagsync.Change) (flagsync.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return flagsync.Outcome{}, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	outcome, err := log.Append(ctx, basis, c)
	if outcome.State == 0 {
		return outcome, fmt.Errorf("append: %w", err)
	}
	s.options.Observer.Appended(outcome.State)
	s.operations.note(c.OpID, outcome)
	if outcome.State == flagsync.Open {
		return outcome, &Undecided{OpID: c.OpID, Cause: outcome.Cause}
	}
	return outcome, nil
}
