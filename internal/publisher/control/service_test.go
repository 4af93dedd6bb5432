package control_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// fakeLog applies what is appended to a state, unless before says that something else happens.
type fakeLog struct {
	t       *testing.T
	state   *statetest.State
	before  func(n int, c writer.Change) (writer.OutcomeState, error) // n is the number of the append, from 1
	changes []writer.Change

	past  []changelog.Record // what Backwards returns, oldest first; nil if it is not to be called
	reads int                // calls of Backwards
}

func (l *fakeLog) Append(_ context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error) {
	l.changes = append(l.changes, c)
	if l.before != nil {
		if outcome, err := l.before(len(l.changes), c); outcome != writer.Committed {
			return writer.Outcome{State: outcome, Position: l.state.Position()}, err
		}
	}
	if basis.Position() != l.state.Position() {
		return writer.Outcome{State: writer.Lost, Position: l.state.Position()}, nil
	}
	var tx changelog.Transaction
	for i, d := range c.Documents {
		tx = append(tx, changelog.Record{Entry: changelog.Entry{
			Epoch: statetest.Epoch, Revision: l.state.Revision + uint64(i) + 1, OpID: c.OpID, Kind: d.Kind, Key: d.Key, Put: d.Body, Delete: d.Body == nil,
		}})
	}
	l.state.Apply(l.t, c.Documents)
	return writer.Outcome{State: writer.Committed, Position: l.state.Position(), Records: tx}, nil
}

func (l *fakeLog) Read(context.Context, changelog.Position, uint64) iter.Seq2[changelog.Record, error] {
	return func(func(changelog.Record, error) bool) {}
}

func (l *fakeLog) Backwards(_ context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	return func(yield func(changelog.Record, error) bool) {
		if l.past == nil {
			l.t.Error("the log was read backwards")
		}
		l.reads++
		for _, r := range slices.Backward(l.past) {
			if (before == 0 || r.Revision < before) && !yield(r, nil) {
				return
			}
		}
	}
}

func (l *fakeLog) History(context.Context, document.ID) iter.Seq2[changelog.Record, error] {
	return func(func(changelog.Record, error) bool) {}
}

// fakeFollower is always current, unless its errors say otherwise.
type fakeFollower struct{ barrier, wait error }

func (f fakeFollower) Barrier(context.Context) error      { return f.barrier }
func (f fakeFollower) Wait(context.Context, uint64) error { return f.wait }
func (f fakeFollower) Status() follow.Status              { return follow.Status{} }

func service(l *fakeLog, f control.Follower, counted map[writer.OutcomeState]int) *control.Service {
	return control.NewService(control.Options{
		Store: storeOf(l, l.state), Follower: f, Observer: counter(counted),
	})
}

func editor() decide.Origin { return decide.Origin{Actor: "editor", Reason: "because"} }

func putA() decide.Command {
	return decide.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("off", ""), If: seen(2)}
}

// Another writer of something else makes the command be decided again; another writer of the same makes it be refused.
func TestLostAppendsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	f := func(key string) (control.Result, map[writer.OutcomeState]int, error) {
		l := &fakeLog{t: t, state: statetest.Shop(t)}
		l.before = func(n int, _ writer.Change) (writer.OutcomeState, error) {
			if n > 3 {
				return writer.Committed, nil
			}
			l.state.Put(t, statetest.FlagDocument(key, statetest.FlagBody([]string{"on", "off"}[n%2], "")))
			return writer.Lost, nil
		}
		counted := map[writer.OutcomeState]int{}
		result, err := service(l, fakeFollower{}, counted).Do(t.Context(), editor(), putA())
		ids := map[string]bool{}
		for _, c := range l.changes {
			if ids[c.OpID] {
				t.Errorf("op-id %s was used for two decisions", c.OpID)
			}
			ids[c.OpID] = true
		}
		return result, counted, err
	}
	result, counted, err := f("other")
	if err != nil || result.Written != 1 || result.Document != result.Position.Token() {
		t.Errorf("got %+v, %v", result, err)
	}
	if diff := cmp.Diff(map[writer.OutcomeState]int{writer.Lost: 3, writer.Committed: 1}, counted); diff != "" {
		t.Errorf("appends (-want +got):\n%s", diff)
	}
	_, _, err = f("a")
	if refusal, ok := errors.AsType[*decide.Refusal](err); !ok || refusal.Cause != decide.CausePreconditionFailed {
		t.Errorf("another writer of the same document: %v, want a refusal", err)
	}
}

func TestEndlessLossIsGivenUp(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	l.before = func(int, writer.Change) (writer.OutcomeState, error) { return writer.Lost, nil }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := service(l, fakeFollower{}, map[writer.OutcomeState]int{}).Do(ctx, editor(), putA())
	if !errors.Is(err, control.ErrContended) {
		t.Errorf("got %v, want that others were faster", err)
	}
}

// A writer who is slower than the others is not sent away while there is time.
func TestManyLossesAreNoFailure(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	l.before = func(n int, _ writer.Change) (writer.OutcomeState, error) {
		if n <= 100 {
			return writer.Lost, nil
		}
		return writer.Committed, nil
	}
	result, err := service(l, fakeFollower{}, map[writer.OutcomeState]int{}).Do(t.Context(), editor(), putA())
	if err != nil || result.Written != 1 {
		t.Errorf("got %+v, %v", result, err)
	}
}

// What may have been written is never called a failure.
func TestUndecided(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	l.before = func(int, writer.Change) (writer.OutcomeState, error) {
		return writer.Open, context.DeadlineExceeded
	}
	_, err := service(l, fakeFollower{}, map[writer.OutcomeState]int{}).Do(t.Context(), editor(), putA())
	undecided, ok := errors.AsType[*control.Undecided](err)
	if !ok || undecided.OpID != l.changes[0].OpID || len(l.changes) != 1 {
		t.Errorf("got %v after %d appends, want undecided with the op-id", err, len(l.changes))
	}
}

// What is written counts, even when it is not seen here in time.
func TestCommittedButNotSeen(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	result, err := service(l, fakeFollower{wait: context.DeadlineExceeded}, map[writer.OutcomeState]int{}).
		Do(t.Context(), editor(), putA())
	if err != nil || result.Position != l.state.Position() {
		t.Errorf("got %+v, %v; want what was written", result, err)
	}
	c := l.changes[0]
	if c.Actor != "editor" || c.Reason != "because" || c.Time.IsZero() || c.OpID != result.OpID {
		t.Errorf("the change is %+v", c)
	}
}

// Nothing is decided on a state that may be old, and nothing written without a log.
func TestNothingWithoutKnowledge(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	f := func(store fakeStore, barrier, want error) {
		t.Helper()
		s := control.NewService(control.Options{Store: store, Follower: fakeFollower{barrier: barrier}})
		if _, err := s.Do(t.Context(), editor(), putA()); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	cut := errors.New("cut")
	known := storeOf(l, l.state)
	f(known, cut, control.ErrUnconfirmed)
	f(known, cut, cut)
	unknown := known
	unknown.state = func() decide.State { return nil }
	f(unknown, nil, control.ErrNotReady)
	unknown.refused = flagsync.ErrStreamLost
	f(unknown, nil, flagsync.ErrStreamLost)
	lost := known
	lost.log = func(context.Context) (control.Log, error) { return nil, flagsync.ErrStreamLost }
	f(lost, nil, flagsync.ErrStreamLost)
	if len(l.changes) != 0 {
		t.Errorf("appended %v", l.changes)
	}
	broken := errors.New("broken")
	l.before = func(int, writer.Change) (writer.OutcomeState, error) { return 0, broken }
	f(known, nil, broken)
}

func TestOriginIsChecked(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	s := service(l, fakeFollower{}, map[writer.OutcomeState]int{})
	for _, reason := range []string{strings.Repeat("x", changelog.MaxReason+1), "\xff"} {
		_, err := s.Do(t.Context(), decide.Origin{Actor: "editor", Reason: reason}, putA())
		if refusal, ok := errors.AsType[*decide.Refusal](err); !ok || refusal.Cause != decide.CauseMalformed {
			t.Errorf("reason %q: %v, want a refusal", reason, err)
		}
	}
	if len(l.changes) != 0 {
		t.Errorf("appended %v", l.changes)
	}
}

// A replacement that is disturbed between its parts is completed from what the disturbance left.
func TestReplaceIsResumed(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.New()}
	l.before = func(n int, _ writer.Change) (writer.OutcomeState, error) {
		if n == 2 {
			l.state.Put(t, statetest.FlagDocument("other", statetest.FlagBody("on", "")), statetest.FlagDocument(statetest.ChainKey(1999), statetest.FlagBody("on", "")))
			return writer.Lost, nil
		}
		return writer.Committed, nil
	}
	wanted := statetest.Chain(2500, "on")
	result, err := service(l, fakeFollower{}, map[writer.OutcomeState]int{}).
		Do(t.Context(), editor(), decide.Replace{Documents: wanted})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.state.Holds(wanted); err != nil {
		t.Error(err)
	}
	if result.OpID != l.changes[0].OpID || result.Position != l.state.Position() {
		t.Errorf("the result is %+v", result)
	}
	for _, c := range l.changes {
		if !strings.HasPrefix(c.OpID, result.OpID) {
			t.Errorf("part %s is not named after %s", c.OpID, result.OpID)
		}
	}
}

// A replacement that cannot go on tells how far it came; repeating it does the rest.
func TestReplaceStopsHalfway(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.New()}
	l.before = func(n int, _ writer.Change) (writer.OutcomeState, error) {
		if n == 2 {
			return writer.Open, context.DeadlineExceeded
		}
		return writer.Committed, nil
	}
	wanted := statetest.Chain(1500, "on")
	s := service(l, fakeFollower{}, map[writer.OutcomeState]int{})
	result, err := s.Do(t.Context(), editor(), decide.Replace{Documents: wanted})
	if _, ok := errors.AsType[*control.Undecided](err); !ok || result.Written != changelog.MaxEntries {
		t.Fatalf("got %+v, %v; want the first part and undecided", result, err)
	}
	result, err = s.Do(t.Context(), editor(), decide.Replace{Documents: wanted})
	if err != nil || result.Written != 500 {
		t.Errorf("got %+v, %v; want the rest", result, err)
	}
	if err := l.state.Holds(wanted); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyIsForTheOwner(t *testing.T) {
	t.Parallel()
	l := &fakeLog{t: t, state: statetest.Shop(t)}
	s := control.NewService(control.Options{
		Store: storeOf(l, l.state), Follower: fakeFollower{}, ReadOnly: "Change the file.",
	})
	_, err := s.Do(t.Context(), editor(), putA())
	if refusal, ok := errors.AsType[*decide.Refusal](err); !ok || refusal.Cause != decide.CauseReadOnly {
		t.Errorf("got %v, want a refusal", err)
	}
	empty := decide.Replace{Documents: []document.Document{}}
	if _, err := s.Do(t.Context(), decide.Origin{Actor: "file", Owner: true}, empty); err != nil || l.state.Len() != 0 {
		t.Errorf("the owner is refused: %v", err)
	}
}
