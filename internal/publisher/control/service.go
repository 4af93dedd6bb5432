package control

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// commandTimeout bounds a command. It is longer than the election of a new leader takes.
const commandTimeout = 15 * time.Second

// Service carries out commands for one environment.
type Service struct {
	options    Options
	lock       lock // held by the command that is carried out
	operations operations
	ledger     *ledger
	keys       keys

	unauthenticated atomic.Uint64
	refusals        refusals
	lives           lives

	mu     sync.Mutex
	open   []openAppend  // what Run has not taken yet
	opened chan struct{} // tells Run that there is some
}

// NewService returns a service.
func NewService(o Options) *Service {
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		options: o, lock: newLock(), opened: make(chan struct{}, 1),
		ledger: newLedger(o.Environment), keys: keys{lock: newLock()},
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
	if err := s.validate(origin); err != nil {
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

// validate refuses an origin that may change nothing here, or whose reason cannot be recorded.
func (s *Service) validate(o decide.Origin) error {
	if s.options.ReadOnly != "" && !o.Owner {
		return s.readOnly()
	}
	return o.Validate()
}

func (s *Service) readOnly() *decide.Refusal {
	return &decide.Refusal{Cause: decide.CauseReadOnly, Detail: s.options.ReadOnly}
}

// Exclusively does something to the environment while no command is carried out here.
func (s *Service) Exclusively(ctx context.Context, do func(context.Context) error) error {
	if err := s.lock.acquire(ctx); err != nil {
		return ErrContended
	}
	defer s.lock.release()
	return do(ctx)
}
