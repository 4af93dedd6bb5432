package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// ledger is what is known of an environment's ledger.
type ledger struct {
	turn        chan struct{} // held while it is read
	environment string

	mu         sync.RWMutex // guards what follows
	governance *Governance
	head       changelog.Anchor // the newest record that was taken
	repaired   bool             // gaps are what repairs have left
}

func newLedger(o Options) *ledger {
	return &ledger{turn: make(chan struct{}, 1), environment: o.Environment, governance: NewGovernance(o.Environment)}
}

// errNoLedger is returned where there are no change requests.
var errNoLedger = &Refusal{Cause: CauseNotKnown, Detail: "There are no change requests here."}

func (s *Service) journal(ctx context.Context) (Journal, error) {
	if s.options.Journal == nil {
		return nil, errNoLedger
	}
	return s.options.Journal(ctx)
}

// refresh reads what was added to the ledger before the call.
func (s *Service) refresh(ctx context.Context) error {
	if s.options.Journal == nil {
		return nil
	}
	select {
	case s.ledger.turn <- struct{}{}:
		defer func() { <-s.ledger.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, ctx.Err())
	}
	journal, err := s.journal(ctx)
	if err != nil {
		return err
	}
	err = s.ledger.read(ctx, journal)
	if errors.Is(err, errLedgerRepaired) {
		s.ledger.forget()
		err = s.ledger.read(ctx, journal)
		s.ledger.remember()
	}
	if err != nil {
		return fmt.Errorf("%w: the ledger: %w", ErrUnconfirmed, err)
	}
	return nil
}

// errLedgerRepaired means that a repair of the ledger went on without records that were taken over here.
var errLedgerRepaired = errors.New("the ledger was repaired")

// read takes over what the ledger has beyond what is known. With errLedgerRepaired, it has to be read from the beginning.
func (l *ledger) read(ctx context.Context, journal Journal) error {
	for r, err := range journal.Read(ctx, l.sequence()+1) {
		if err == nil {
			err = l.take(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget makes the ledger unknown again, because what was known of it may be lost. Until remember, gaps are what repairs have left.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.governance, l.head = NewGovernance(l.environment), changelog.Anchor{}
	l.repaired = true
}

// remember ends what forget has begun.
func (l *ledger) remember() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repaired = false
}

func (l *ledger) sequence() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.governance.Sequence()
}

// take takes over the record after the newest that is known.
func (l *ledger) take(r flagsync.Record) error {
	e, ok, err := eventOf(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Prev != l.head {
		if !l.repaired && !l.head.IsZero() {
			return errLedgerRepaired
		}
		l.governance.Gap()
	}
	if !ok {
		l.governance.Pass(r.Sequence)
	} else if err := l.governance.Evolve(r.Sequence, e); err != nil {
		return err
	}
	l.head = changelog.Anchor{Sequence: r.Sequence, Digest: r.Digest}
	return nil
}

func (l *ledger) unfinished() []Request {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.governance.Unfinished()
}

// decide derives an event from what is known, and returns after which one it belongs.
func (l *ledger) decide(do func(*Governance) (Event, error)) (Event, uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e, err := do(l.governance)
	return e, l.governance.Sequence(), err
}

// world returns what a decision is made from.
func (s *Service) world(o Origin, state State) World {
	return World{
		Environment: s.options.Environment, State: state, Origin: o, Now: time.Now(),
		Authorize: s.options.Authorize, Gone: s.options.Gone, Standing: s.options.Standing, Line: s.options.Line, Usage: s.options.Usage,
		OpenRequests: s.options.OpenRequests, LedgerBytes: s.options.LedgerBytes,
	}
}

// decideAndRecord derives an event from a current state and ledger, and records it; again each time that somebody else was faster.
// The zero Event is not recorded.
func (s *Service) decideAndRecord(ctx context.Context, do func(*Governance, State) (Event, error)) (Event, error) {
	for {
		state, err := s.Current(ctx)
		if err == nil {
			err = s.refresh(ctx)
		}
		if err != nil {
			return Event{}, err
		}
		e, base, err := s.ledger.decide(func(g *Governance) (Event, error) { return do(g, state) })
		if err != nil || e.Type == "" {
			return e, err
		}
		switch err := s.record(ctx, base, e); {
		case err == nil:
			return e, s.refresh(ctx)
		case !errors.Is(err, flagsync.ErrConflict):
			return Event{}, err
		case ctx.Err() != nil:
			return Event{}, ErrContended
		}
	}
}

// record appends an event after the one with the sequence base.
func (s *Service) record(ctx context.Context, base uint64, e Event) error {
	journal, err := s.journal(ctx)
	if err != nil {
		return err
	}
	data, err := e.Encode()
	if err != nil {
		return err
	}
	op := rand.Text()
	if _, err = journal.Append(ctx, base, op, data); errors.Is(err, flagsync.ErrUndecided) {
		return &Undecided{OpID: op}
	}
	return err
}

// recordAnyway records what happened whatever else did.
func (s *Service) recordAnyway(ctx context.Context, e Event) bool {
	for ctx.Err() == nil {
		if s.refresh(ctx) != nil {
			return false
		}
		err := s.record(ctx, s.ledger.sequence(), e)
		if err == nil {
			return true
		}
		if !errors.Is(err, flagsync.ErrConflict) {
			return false
		}
	}
	return false
}

// KnownRisk returns what is risky in the environment as far as it is known here, which may be outdated.
func (s *Service) KnownRisk() RiskSettings {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Risk()
}
