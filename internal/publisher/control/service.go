package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// commandTimeout bounds a command. It is longer than the election of a new leader takes.
const commandTimeout = 15 * time.Second

// Service carries out commands for one environment.
type Service struct {
	options    Options
	locked     chan struct{} // held by the command that is carried out
	operations operations
	ledger     *ledger
	keys       keys

	unauthenticated atomic.Uint64
	refusals        refusals

	mu     sync.Mutex
	open   []openAppend  // what Run has not taken yet
	opened chan struct{} // tells Run that there is some
}

// NewService returns a service.
func NewService(o Options) *Service {
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	return &Service{
		options: o, locked: make(chan struct{}, 1), opened: make(chan struct{}, 1),
		ledger: newLedger(o.Environment), keys: keys{turn: make(chan struct{}, 1)},
	}
}

// Result is what became of a command that was not refused.
type Result struct {
	// Position is that of the log after the command.
	Position changelog.Position
	// Document is the revision of the document that a Put wrote, or found unchanged.
	Document changelog.Token
	// OpID is that of the first change that was written; empty if nothing was.
	OpID string
	// Written is how many documents were put or deleted, and Effects what was done to each. They are not known of what an idempotency key
	// has done before.
	Written int
	Effects []decide.Effect
	// Warnings are slips that were tolerated.
	Warnings eval.Problems
}

// Do carries out a command and returns when the state shows it. The error is a *Refusal, an *Undecided, one of the errors of this
// package, or one of flagsync that tells why nothing can be written. When a Replace fails after some of its parts, the result tells
// how much was written.
func (s *Service) Do(ctx context.Context, origin decide.Origin, c decide.Command) (Result, error) {
	if s.options.ReadOnly != "" && !origin.Owner {
		return Result{}, &decide.Refusal{Cause: decide.CauseReadOnly, Detail: s.options.ReadOnly}
	}
	if err := origin.Validate(); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	origin, err := s.identified(ctx, origin, func(g *requests.Governance, in decide.DecisionInput) error { return decide.Writable(g, in, c) })
	if err != nil {
		s.noteRefused(ctx, origin, err)
		return Result{}, err
	}
	x := execution{Service: s, origin: origin, command: c, op: rand.Text()}
	if origin.Key != "" {
		x.keyed = newKeyedOp(origin.By(), origin.Key, c)
		x.op = x.keyed.String()
	}
	err = s.Exclusively(ctx, x.run)
	s.noteRefused(ctx, origin, err)
	return x.result, err
}

// lock waits for the turn of the caller, who releases it.
func (s *Service) lock(ctx context.Context) (release func(), err error) {
	select {
	case s.locked <- struct{}{}:
		return func() { <-s.locked }, nil
	case <-ctx.Done():
		return nil, ErrContended
	}
}

// Exclusively does something to the environment while no command is carried out here.
func (s *Service) Exclusively(ctx context.Context, do func(context.Context) error) error {
	release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return do(ctx)
}

// execution is one command being carried out.
type execution struct {
	*Service

	origin  decide.Origin
	command decide.Command
	op      string
	keyed   *keyedOp // nil without a key
	appends int
	basis   flagsync.Basis // what the next part is appended to
	decided decide.State   // what the command was decided on
	result  Result
}

// run decides anew each time that another writer was faster, for as long as there is time.
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
	decided(err)
	if err != nil {
		return err
	}
	x.basis, x.decided, x.result.Position = state, state, state.Position()
	x.result.Document = decision.Unchanged
	x.result.Warnings = decision.Warnings()
	return x.append(ctx, log, decision)
}

// errLost means that another writer was faster.
var errLost = errors.New("another writer was faster")

// append writes the parts of a decision, and waits until the state shows them.
func (x *execution) append(ctx context.Context, log Log, d decide.Decision) error {
	if len(d.Parts) == 0 {
		if x.keyed != nil && x.keyed.parts > 0 { // others have done the rest
			x.result = x.keyed.done
		}
		return nil
	}
	for i, documents := range d.Parts {
		if x.keyed != nil {
			x.op = x.keyed.part(len(d.Parts) - i)
		}
		if err := x.appendPart(ctx, log, documents); err != nil {
			return err
		}
	}
	x.result.Document = x.result.Position.Token()
	// The change is in the log whether or not it is seen here in time.
	_ = x.options.Follower.Wait(ctx, x.result.Position.Revision)
	return nil
}

func (x *execution) appendPart(ctx context.Context, log Log, documents []document.Document) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	deadline, _ := ctx.Deadline()
	// Whoever asked may be gone, but what was begun is decided.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	change := flagsync.Change{
		OpID: x.nextOpID(), Actor: x.origin.By(), Reason: x.origin.Reason, Time: time.Now(), Documents: documents,
	}
	outcome, err := log.Append(ctx, x.basis, change)
	if outcome.State != 0 {
		x.options.Observer.Appended(outcome.State)
		x.operations.note(change.OpID, outcome)
	}
	switch outcome.State {
	case flagsync.Committed:
		x.basis, x.result.Position = flagsync.After(x.basis, outcome.Records), outcome.Position
		x.result.Written += len(documents)
		x.result.Effects = append(x.result.Effects, decide.Effects(x.decided, documents)...)
		if x.keyed != nil {
			x.keyed.parts++
		}
		if x.result.OpID == "" {
			x.result.OpID = change.OpID
		}
		return nil
	case flagsync.Lost:
		return errLost
	case flagsync.Open:
		x.leaveOpen(openAppend{basis: x.basis, change: change})
		return &Undecided{OpID: change.OpID, Cause: outcome.Cause}
	default:
		return fmt.Errorf("append: %w", err)
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
