package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// ledger is what is known of an environment's ledger.
type ledger struct {
	environment string
	reading     lock // held while it is read
	mu          sync.RWMutex
	governance  *requests.Governance // guarded by mu
}

func newLedger(environment string) *ledger {
	return &ledger{environment: environment, reading: newLock(), governance: requests.NewGovernance(environment)}
}

// refresh reads what was added to the ledger before the call.
func (s *Service) refresh(ctx context.Context) error {
	return s.refreshFrom(ctx, s.options.Store.Ledger)
}

// refreshFrom is refresh with a ledger that is opened by other means.
func (s *Service) refreshFrom(ctx context.Context, open func(context.Context) (Ledger, error)) error {
	if err := s.ledger.reading.acquire(ctx); err != nil {
		return fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, err)
	}
	defer s.ledger.reading.release()
	journal, err := open(ctx)
	if err != nil {
		return err
	}
	if err := s.ledger.catchUp(ctx, journal); err != nil {
		return fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, err)
	}
	return nil
}

// catchUp takes over what the journal has beyond what is known. After a repair it reads everything again, because what was lost no longer
// counts for others.
func (l *ledger) catchUp(ctx context.Context, journal Ledger) error {
	repaired, err := l.readOn(ctx, journal)
	if !repaired {
		return err
	}
	fresh := &ledger{governance: requests.NewGovernance(l.environment)}
	if _, err := fresh.readOn(ctx, journal); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.governance = fresh.governance
	return nil
}

// readOn takes over records up to the next repair.
func (l *ledger) readOn(ctx context.Context, journal Ledger) (repaired bool, err error) {
	from := l.sequence() + 1
	for r, err := range journal.Read(ctx, from) {
		if err == nil && from > 1 && r.Repairs() {
			return true, nil
		}
		if err == nil {
			err = l.take(r)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

func (l *ledger) sequence() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.governance.Sequence()
}

// take takes over the record after the newest that is known.
func (l *ledger) take(r writer.Record) error {
	e, ok, err := eventOf(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Prev.Sequence != l.governance.Sequence() {
		l.governance.Gap()
	}
	if !ok {
		l.governance.Pass(r.Sequence)
		return nil
	}
	return l.governance.Evolve(r.Sequence, e)
}

func (l *ledger) unfinished() []requests.Request {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.governance.Unfinished()
}

// decide derives an event from what is known, and returns after which one it belongs.
func (l *ledger) decide(do func(*requests.Governance) (requests.Event, error)) (requests.Event, uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e, err := do(l.governance)
	return e, l.governance.Sequence(), err
}

// input returns what a decision is made from.
func (s *Service) input(o decide.Origin, state decide.State) decide.DecisionInput {
	return decide.DecisionInput{
		Environment: s.options.Environment, State: state, Origin: o, Now: s.options.Now(), Principals: s.options.Access, Usage: s.options.Usage,
		OpenRequests: s.options.OpenRequests, LedgerBytes: s.options.LedgerBytes,
	}
}

// decideRequest is decide.Request. What it cannot tell now, such as who still counts, is unconfirmed.
func decideRequest(g *requests.Governance, in decide.DecisionInput, c decide.RequestCommand) (requests.Event, *decide.Candidate, error) {
	e, candidate, err := decide.Request(g, in, c)
	if _, refused := errors.AsType[*decide.Refusal](err); err != nil && !refused {
		err = fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return e, candidate, err
}

// decideAndRecord derives an event from a current state and ledger, and records it; again each time that another writer was faster.
// The zero Event is not recorded.
func (s *Service) decideAndRecord(ctx context.Context, do func(*requests.Governance, decide.State) (requests.Event, error)) (requests.Event, error) {
	for {
		state, err := s.Current(ctx)
		if err == nil {
			err = s.refresh(ctx)
		}
		if err != nil {
			return requests.Event{}, err
		}
		e, base, err := s.ledger.decide(func(g *requests.Governance) (requests.Event, error) { return do(g, state) })
		if err != nil || e.Type == "" {
			return e, err
		}
		switch err := s.record(ctx, base, e); {
		case err == nil:
			return e, s.refresh(ctx)
		case !errors.Is(err, writer.ErrConflict):
			return requests.Event{}, err
		case ctx.Err() != nil:
			return requests.Event{}, ErrContended
		}
	}
}

// record appends an event after the one with the sequence base.
func (s *Service) record(ctx context.Context, base uint64, e requests.Event) error {
	journal, err := s.options.Store.Ledger(ctx)
	if err != nil {
		return err
	}
	_, err = recordAfter(ctx, journal, base, e)
	return err
}

func recordAfter(ctx context.Context, journal Ledger, base uint64, e requests.Event) (sequence uint64, err error) {
	data, err := e.Encode()
	if err != nil {
		return 0, err
	}
	op := rand.Text()
	if sequence, err = journal.Append(ctx, base, op, data); errors.Is(err, writer.ErrUndecided) {
		return 0, &Undecided{OpID: op, Cause: diskFull(err)}
	}
	return sequence, err
}

// AppendEvent records an event in a ledger that no service runs for, after what it holds, and returns the number of the record.
func AppendEvent(ctx context.Context, journal Ledger, e requests.Event) (uint64, error) {
	for {
		base := uint64(0)
		for r, err := range journal.Read(ctx, 1) {
			if err != nil {
				return 0, err
			}
			base = r.Sequence
		}
		sequence, err := recordAfter(ctx, journal, base, e)
		if !errors.Is(err, writer.ErrConflict) || ctx.Err() != nil {
			return sequence, err
		}
	}
}

// diskFull returns err if it tells that the disk is full, else nil.
func diskFull(err error) error {
	if errors.Is(err, flagsync.ErrDiskFull) {
		return err
	}
	return nil
}

// recordAnyway records what happened whatever else did.
func (s *Service) recordAnyway(ctx context.Context, e requests.Event) bool {
	for ctx.Err() == nil {
		if s.refresh(ctx) != nil {
			return false
		}
		err := s.record(ctx, s.ledger.sequence(), e)
		if err == nil {
			return true
		}
		if !errors.Is(err, writer.ErrConflict) {
			return false
		}
	}
	return false
}

// KnownRisk returns what is risky in the environment as far as it is known here, which may be outdated.
func (s *Service) KnownRisk() risk.Settings {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Risk()
}
