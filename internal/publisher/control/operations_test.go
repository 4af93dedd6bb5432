package control_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// slowLog leaves every append open until it is told what comes of it.
type slowLog struct {
	fakeLog

	mu      sync.Mutex
	outcome writer.Outcome
	err     error
	asked   []writer.Change
	bases   []changelog.Position
}

func (l *slowLog) Append(_ context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked, l.bases = append(l.asked, c), append(l.bases, basis.Position())
	return l.outcome, l.err
}

func (l *slowLog) decide(outcome writer.Outcome, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcome, l.err = outcome, err
}

// A change whose fate is open when its author is answered is pursued until it is decided, and can be asked for all the time.
func TestOpenAppendsArePursued(t *testing.T) {
	t.Parallel()
	committed := writer.Outcome{State: writer.Committed, Position: changelog.Position{Revision: 3}}
	for name, test := range map[string]struct {
		outcome writer.Outcome
		err     error
		want    writer.OutcomeState
	}{
		"committed":                    {committed, nil, writer.Committed},
		"lost":                         {writer.Outcome{State: writer.Lost}, nil, writer.Lost},
		"of a history that is no more": {writer.Outcome{}, changelog.ErrDifferentHistory, writer.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &slowLog{outcome: writer.Outcome{State: writer.Open}}
			l.t, l.state, l.past = t, statetest.Shop(t), []changelog.Record{} // which a look at the lives of flags reads
			other := false
			var mu sync.Mutex
			store := storeOf(l, l.state)
			store.state = func() decide.State {
				mu.Lock()
				defer mu.Unlock()
				if other {
					return inEpoch{l.state, "ffffffffffffffffffffffffffffffff"}
				}
				return l.state
			}
			s := control.NewService(control.Options{Store: store, Follower: fakeFollower{}})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()

			_, err := s.Do(t.Context(), editor(), putA())
			undecided, ok := errors.AsType[*control.Undecided](err)
			if !ok {
				t.Fatalf("got %v, want that it is undecided", err)
			}
			if o, err := s.Operation(t.Context(), undecided.OpID); err != nil || o.State != writer.Open {
				t.Errorf("the operation is %+v, %v, want open", o, err)
			}
			mu.Lock()
			other = test.err != nil
			mu.Unlock()
			l.decide(test.outcome, test.err)
			waiting.Until(t, "the end of the operation", func() bool {
				o, err := s.Operation(t.Context(), undecided.OpID)
				if err != nil {
					t.Fatal(err)
				}
				if o.State == writer.Open {
					return false
				}
				if o.State != test.want || o.Position != test.outcome.Position {
					t.Errorf("the operation is %+v, want %s", o, test.want)
				}
				return true
			})
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			for i, c := range l.asked {
				if c.OpID != undecided.OpID || !c.Time.Equal(l.asked[0].Time) || l.bases[i] != l.bases[0] {
					t.Errorf("attempt %d has other bytes: %+v", i, c)
				}
			}
		})
	}
}

// held is a state under a name that it has no method of.
type held = decide.State

// inEpoch is a state of another history.
type inEpoch struct {
	held

	epoch changelog.Epoch
}

func (s inEpoch) Position() changelog.Position {
	p := s.held.Position()
	p.Epoch = s.epoch
	return p
}

func TestOperationsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	s := service(l, fakeFollower{}, map[writer.OutcomeState]int{})
	result, err := s.Do(t.Context(), editor(), putA())
	if err != nil {
		t.Fatal(err)
	}
	if o, err := s.Operation(t.Context(), result.OpID); err != nil || o.State != writer.Committed || o.Position != result.Position {
		t.Errorf("the operation is %+v, %v, want it committed at %+v", o, err, result.Position)
	}
	if o, err := s.Operation(t.Context(), "none"); err != nil || o != (control.Operation{OpID: "none"}) {
		t.Errorf("an operation that was never begun: %+v, %v, want that it is not known", o, err)
	}
}
