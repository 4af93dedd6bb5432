package control

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/sync/writer"
)

// append appends a change and notes what became of it. The caller may go away: what was begun is decided. An outcome that is open is an
// *Undecided.
func (s *Service) append(ctx context.Context, log Log, basis writer.Basis, c writer.Change) (writer.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return writer.Outcome{}, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
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
	if outcome.State == writer.Open {
		return outcome, &Undecided{OpID: c.OpID, Cause: outcome.Cause}
	}
	return outcome, nil
}
