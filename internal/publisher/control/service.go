package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// commandTimeout bounds a command. It is longer than the election of a new leader takes.
const commandTimeout = 15 * time.Second

// Log is where changes are written: a writer.Log.
type Log interface {
	Append(ctx context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error)
	Read(ctx context.Context, after changelog.Position, to uint64) iter.Seq2[changelog.Record, error]
	History(ctx context.Context, id document.ID) iter.Seq2[changelog.Record, error]
	Backwards(ctx context.Context, before uint64) iter.Seq2[changelog.Record, error]
}

// Journal is where the decisions of people are recorded: a writer.Ledger.
type Journal interface {
	Append(ctx context.Context, base uint64, opID string, body []byte) (uint64, error)
	Read(ctx context.Context, from uint64) iter.Seq2[writer.Record, error]
	Record(ctx context.Context, sequence uint64) (writer.Record, error)
}

// Follower keeps the state current: a follow.Follower.
type Follower interface {
	Barrier(ctx context.Context) error
	Wait(ctx context.Context, revision uint64) error
	Status() follow.Status
}

// Options say what a Service works on. State, Log, Refused and Follower are required.
type Options struct {
	// Environment is its name.
	Environment string
	// State returns the newest state, or nil while the environment was not read completely.
	State func() State
	// Log returns the log, or why nothing can be written now. It may wait.
	Log func(ctx context.Context) (Log, error)
	// Refused returns why nothing can be written now, or nil. It does not wait.
	Refused  func() error
	Follower Follower
	// ReadOnly is a sentence that tells where the environment is changed instead; empty if here.
	ReadOnly string
	// Deciding is told when the decision on a command begins, and returns what is told how it ended. It may be nil.
	Deciding func(ctx context.Context, c Command) func(error)
	// Appended is told how each append ended. It may be nil.
	Appended func(writer.OutcomeState)
	// BrokeGlass is told of each change request that was applied here without approvals, which waits for a review then. It may be nil.
	BrokeGlass func(Request)
	// Journal returns the ledger of the environment, or why it cannot be had. Without one there are no change requests.
	Journal func(ctx context.Context) (Journal, error)
	// Authorize answers what policies permit. It may be nil: then everything is permitted.
	Authorize func(access.Question) access.Answer
	// Identify returns a principal with the id that is recorded. It is asked for a person without one, before anything that the person does is
	// recorded. It may be nil if there are none.
	Identify func(context.Context, access.Principal) (access.Principal, error)
	// Gone reports whether an id is of a person who may be here again by another one. It may be nil if there are none.
	Gone func(id string) bool
	// Standing returns the author of a scheduled request, when its time comes, as policies know the author; or why the author no longer counts:
	// access.ErrRejected ends the request, any other error leaves it to a later time. It may be nil.
	Standing func(access.Principal) (access.Principal, error)
	// CatchUp returns when everything counts for Standing and Line that was recorded of principals before the call, at any publisher. It may
	// be nil if nothing is.
	CatchUp func(context.Context) error
	// Line returns the principals that a token was made by. It may be nil if there are no tokens.
	Line func(principal string) []string
	// Usage tells which flags are in use. It may be nil: then it is not known.
	Usage Usage
	// OpenRequests is how many change requests one author may have that are not ended; 0 is any number.
	OpenRequests int
	// LedgerBytes is how many bytes one principal may add to the ledger in a day; 0 is any number.
	LedgerBytes int
	// Sweep is how often Run looks for requests whose time has come, or that another publisher has left; 0 is once a second.
	Sweep time.Duration
}

// Service carries out commands for one environment.
type Service struct {
	options    Options
	turn       chan struct{} // held by the command that is carried out
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
	if o.Appended == nil {
		o.Appended = func(writer.OutcomeState) {}
	}
	if o.BrokeGlass == nil {
		o.BrokeGlass = func(Request) {}
	}
	if o.Deciding == nil {
		o.Deciding = func(context.Context, Command) func(error) { return func(error) {} }
	}
	return &Service{
		options: o, turn: make(chan struct{}, 1), opened: make(chan struct{}, 1),
		ledger: newLedger(o), keys: keys{turn: make(chan struct{}, 1)},
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
	Effects []Effect
	// Warnings are slips that were tolerated.
	Warnings eval.Problems
}

// Do carries out a command and returns when the state shows it. The error is a *Refusal, an *Undecided, one of the errors of this
// package, or one of flagsync that tells why nothing can be written. When a Replace fails after some of its parts, the result tells
// how much was written.
func (s *Service) Do(ctx context.Context, origin Origin, c Command) (Result, error) {
	if s.options.ReadOnly != "" && !origin.Owner {
		return Result{}, &Refusal{Cause: CauseReadOnly, Detail: s.options.ReadOnly}
	}
	if err := origin.Validate(); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	origin, err := s.identified(ctx, origin, func(g *Governance, w World) error { return writable(g, w, c) })
	if err != nil {
		s.noteRefused(ctx, origin, err)
		return Result{}, err
	}
	x := execution{Service: s, origin: origin, command: c, op: rand.Text()}
	if origin.Key != "" {
		x.keyed = newKeyedOp(origin.actor(), origin.Key, c)
		x.op = x.keyed.String()
	}
	err = s.Alone(ctx, x.run)
	s.noteRefused(ctx, origin, err)
	return x.result, err
}

// hold waits for the turn of the caller, who releases it.
func (s *Service) hold(ctx context.Context) (release func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ErrContended
	}
}

// Alone does something to the environment while no command is carried out here.
func (s *Service) Alone(ctx context.Context, do func(context.Context) error) error {
	release, err := s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	return do(ctx)
}

// execution is one command being carried out.
type execution struct {
	*Service

	origin  Origin
	command Command
	op      string
	keyed   *keyedOp // nil without a key
	appends int
	basis   writer.Basis // what the next part is appended to
	decided State        // what the command was decided on
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
	log, err := x.options.Log(ctx)
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
	decided := x.options.Deciding(ctx, x.command)
	decision, err := Decide(state, x.command)
	if err == nil {
		err = x.permit(ctx, state, decision)
	}
	decided(err)
	if err != nil {
		return err
	}
	x.basis, x.decided, x.result.Position = state, state, state.Position()
	x.result.Document = decision.Unchanged
	x.result.Warnings = decision.Warnings
	return x.append(ctx, log, decision)
}

// errLost means that another writer was faster.
var errLost = errors.New("another writer was faster")

// append writes the parts of a decision, and waits until the state shows them.
func (x *execution) append(ctx context.Context, log Log, d Decision) error {
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
	// The caller may be gone, but what was begun is decided.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	change := writer.Change{
		OpID: x.nextOpID(), Actor: x.origin.actor(), Reason: x.origin.Reason, Time: time.Now(), Documents: documents,
	}
	outcome, err := log.Append(ctx, x.basis, change)
	if outcome.State != 0 {
		x.options.Appended(outcome.State)
		x.operations.note(change.OpID, outcome)
	}
	switch outcome.State {
	case writer.Committed:
		x.basis, x.result.Position = writer.After(x.basis, outcome.Records), outcome.Position
		x.result.Written += len(documents)
		x.result.Effects = append(x.result.Effects, effects(x.decided, documents)...)
		if x.keyed != nil {
			x.keyed.parts++
		}
		if x.result.OpID == "" {
			x.result.OpID = change.OpID
		}
		return nil
	case writer.Lost:
		return errLost
	case writer.Open:
		x.leaveOpen(openAppend{basis: x.basis, change: change})
		return &Undecided{OpID: change.OpID, Cause: outcome.Cause}
	default:
		return fmt.Errorf("append: %w", err)
	}
}

// permit refuses what policies do not permit to be written at once.
func (x *execution) permit(ctx context.Context, state State, d Decision) error {
	if x.options.Authorize == nil || x.origin.Owner {
		return nil
	}
	if err := x.refresh(ctx); err != nil {
		return err
	}
	x.ledger.mu.RLock()
	defer x.ledger.mu.RUnlock()
	if refusal := permit(x.ledger.governance, x.world(x.origin, state), d); refusal != nil {
		return refusal
	}
	return nil
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
