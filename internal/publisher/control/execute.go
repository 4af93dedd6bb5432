package control

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/progress"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/writer"
)

// execution is one command being carried out.
type execution struct {
	*Service

	origin  decide.Origin
	command decide.Command
	op      string
	keyed   *keyedOp // nil without a key
	appends int
	basis   writer.Basis // what the next part is appended to
	decided decide.State // what the command was decided on
	result  Result
}

// run decides again each time that another writer was faster, for as long as there is time.
func (x *execution) run(ctx context.Context) error {
	for lost := false; ; lost = true {
		err := x.attempt(ctx)
		if lost && ctx.Err() != nil && errors.Is(err, ErrUnconfirmed) {
			return ErrContended
		}
		if !errors.Is(err, errLost) {
			return err
		}
		if ctx.Err() != nil {
			return ErrContended
		}
	}
}

// attempt decides on the current state, and writes what follows.
func (x *execution) attempt(ctx context.Context) error {
	log, err := x.options.Store.Log(ctx)
	if err != nil {
		return err
	}
	state, err := x.Current(ctx)
	if err != nil {
		return err
	}
	if x.keyed != nil {
		if done, err := x.repeated(ctx, log, state); done || err != nil {
			return err
		}
	}
	decided := x.options.Observer.Deciding(ctx, x.command)
	decision, err := decide.Change(state, x.command)
	if err == nil {
		err = x.permit(ctx, state, decision)
	}
	if err == nil { // last, because it names who uses flags
		err = decide.Unused(x.input(x.origin, state), x.command, decision)
	}
	decided(err)
	if err != nil {
		return err
	}
	x.basis, x.decided, x.result.Position = state, state, state.Position()
	x.result.Document = decision.Unchanged
	x.result.Warnings = decision.Warnings()
	return x.write(ctx, log, decision)
}

// errLost means that another writer was faster.
var errLost = errors.New("another writer was faster")

// write writes the parts of a decision, and waits until the state shows them.
func (x *execution) write(ctx context.Context, log Log, d decide.Decision) error {
	if len(d.Parts) == 0 {
		if x.keyed != nil && x.keyed.parts > 0 { // others have done the rest
			x.result = x.keyed.done
		}
		return nil
	}
	meter := progress.Of(ctx)
	meter.Expect(documentsIn(d.Parts))
	if len(d.Parts) > 1 { // the caller may go away: what was begun is completed
		deadline, _ := ctx.Deadline()
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
		defer cancel()
	}
	for i, documents := range d.Parts {
		if x.keyed != nil {
			x.op = x.keyed.part(len(d.Parts) - i)
		}
		if err := x.appendPart(ctx, log, documents); err != nil {
			return err
		}
		meter.Add(len(documents))
	}
	x.result.Document = x.result.Position.Token()
	// The change is in the log whether or not it is seen here in time.
	_ = x.options.Follower.Wait(ctx, x.result.Position.Revision)
	runtime.KeepAlive(d.Candidate) // the state that was waited for takes its rules
	return nil
}

func documentsIn(parts [][]document.Document) (n int) {
	for _, documents := range parts {
		n += len(documents)
	}
	return n
}

// appendPart writes one part.
func (x *execution) appendPart(ctx context.Context, log Log, documents []document.Document) error {
	change := writer.Change{
		OpID: x.nextOpID(), Actor: x.origin.By(), Reason: x.origin.Reason, Time: x.options.Now(), Documents: documents,
	}
	outcome, err := x.Service.append(ctx, log, x.basis, change)
	switch {
	case outcome.State == writer.Open:
		x.leaveOpen(openAppend{basis: x.basis, change: change})
		return err
	case err != nil:
		return err
	case outcome.State == writer.Lost:
		return errLost
	}
	x.committed(change, outcome)
	return nil
}

// committed adds a part that is in the log to the result.
func (x *execution) committed(c writer.Change, outcome writer.Outcome) {
	x.basis, x.result.Position = writer.After(x.basis, outcome.Records), outcome.Position
	x.result.Written += len(c.Documents)
	x.result.Effects = append(x.result.Effects, decide.Effects(x.decided, c.Documents)...)
	if x.keyed != nil {
		x.keyed.parts++
	}
	if x.result.OpID == "" {
		x.result.OpID = c.OpID
	}
}

// permit refuses what policies do not permit to be written at once.
func (x *execution) permit(ctx context.Context, state decide.State, d decide.Decision) error {
	if x.options.Access == nil || x.origin.Owner {
		return nil
	}
	if err := x.refresh(ctx); err != nil {
		return err
	}
	x.ledger.mu.RLock()
	defer x.ledger.mu.RUnlock()
	return decide.Permit(x.ledger.governance, x.input(x.origin, state), d)
}

// nextOpID returns the op-id of the next append. Those of one command begin alike.
func (x *execution) nextOpID() string {
	if x.keyed != nil {
		return x.op
	}
	x.appends++
	if x.appends == 1 {
		return x.op
	}
	return fmt.Sprintf("%s-%d", x.op, x.appends)
}
