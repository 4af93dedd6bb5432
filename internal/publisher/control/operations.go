package control

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// keptOperations is how many operations that are decided can still be asked for.
	keptOperations = 1000
	// retryTimeout bounds one attempt to find out what became of an operation, and retryPause is how long it rests after one that failed.
	retryTimeout = 15 * time.Second
	retryPause   = time.Second
)

// Operation is what became of one change.
type Operation struct {
	OpID string
	// State is zero if it is not known.
	State writer.OutcomeState
	// Position is the one after the change, if it is committed.
	Position changelog.Position
}

// operations are the newest changes that were appended. The zero value has none.
type operations struct {
	mu      sync.Mutex
	known   map[string]Operation
	decided []string // op-ids, oldest first
}

func (o *operations) note(op string, outcome writer.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil {
		o.known = make(map[string]Operation)
	}
	noted := Operation{OpID: op, State: outcome.State}
	if outcome.State == writer.Committed {
		noted.Position = outcome.Position
	}
	o.known[op] = noted
	if outcome.State == writer.Open {
		return
	}
	if o.decided = append(o.decided, op); len(o.decided) > keptOperations {
		delete(o.known, o.decided[0])
		o.decided = o.decided[1:]
	}
}

func (o *operations) find(op string) (Operation, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.known[op]
	return found, ok
}

// Operation returns what became of a change by its op-id. This publisher knows what it has appended itself; of what others have, the log
// tells if it is committed. Anything else is not known here: its state is zero. It may have been lost, be open at another publisher, or
// have been appended longer ago than is remembered.
func (s *Service) Operation(ctx context.Context, op string) (Operation, error) {
	if found, ok := s.operations.find(op); ok {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	log, err := s.options.Store.Log(ctx)
	if err != nil {
		return Operation{}, err
	}
	state, err := s.Current(ctx)
	if err != nil {
		return Operation{}, err
	}
	if err := s.keys.lockAndRead(ctx, log, state.Position()); err != nil {
		return Operation{}, err
	}
	defer s.keys.lock.release()
	if at, ok := s.keys.positions[op]; ok {
		return Operation{OpID: op, State: writer.Committed, Position: at}, nil
	}
	return Operation{OpID: op}, nil
}

// openAppend is a change whose fate was open when time ran out.
type openAppend struct {
	basis  writer.Basis
	change writer.Change
}

// Run goes on with the changes whose fate was open when time ran out, and with change requests whose time has come or that another
// publisher has left, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.sweepUntil(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.opened:
		}
		s.mu.Lock()
		open := s.open
		s.open = nil
		s.mu.Unlock()
		for _, a := range open {
			wg.Go(func() { s.retryOpen(ctx, a) })
		}
	}
}

// leaveOpen hands a change to Run.
func (s *Service) leaveOpen(a openAppend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, a)
	select {
	case s.opened <- struct{}{}:
	default: // Run knows
	}
}

// retryOpen sends a change again, and asks for it, until it is decided.
func (s *Service) retryOpen(ctx context.Context, a openAppend) {
	for {
		outcome, decided := s.ask(ctx, a)
		if decided {
			s.operations.note(a.change.OpID, outcome)
			s.options.Observer.Appended(outcome.State)
			return
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return
		}
	}
}

// ask makes one attempt. A change of a history that was left is lost: it is no part of the log that took its place.
func (s *Service) ask(ctx context.Context, a openAppend) (writer.Outcome, bool) {
	within, cancel := context.WithTimeout(ctx, retryTimeout)
	defer cancel()
	log, err := s.options.Store.Log(within)
	if err != nil {
		return writer.Outcome{}, false
	}
	outcome, err := log.Append(within, a.basis, a.change)
	if errors.Is(err, changelog.ErrDifferentHistory) {
		state := s.options.Store.State()
		return writer.Outcome{State: writer.Lost}, state != nil && state.Position().Epoch != a.basis.Position().Epoch
	}
	return outcome, err == nil && outcome.State != writer.Open
}
