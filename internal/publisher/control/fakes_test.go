package control_test

import (
	"context"
	"iter"
	"os"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// fakeStore has what its fields return. Without a ledger it has one that is empty and stays so.
type fakeStore struct {
	state   func() decide.State
	log     func(context.Context) (control.Log, error)
	ledger  func(context.Context) (control.Ledger, error)
	refused error
}

// storeOf is a store with a log and the state that it leads to.
func storeOf(l control.Log, s decide.State) fakeStore {
	return fakeStore{
		state: func() decide.State { return s },
		log:   func(context.Context) (control.Log, error) { return l, nil },
	}
}

func (s fakeStore) State() decide.State                          { return s.state() }
func (s fakeStore) Log(ctx context.Context) (control.Log, error) { return s.log(ctx) }
func (s fakeStore) Refused() error                               { return s.refused }

func (s fakeStore) Ledger(ctx context.Context) (control.Ledger, error) {
	if s.ledger == nil {
		return emptyLedger{}, nil
	}
	return s.ledger(ctx)
}

type emptyLedger struct{}

func (emptyLedger) Append(context.Context, uint64, string, []byte) (uint64, error) {
	return 0, errCrashed
}

func (emptyLedger) Read(context.Context, uint64) iter.Seq2[writer.Record, error] {
	return func(func(writer.Record, error) bool) {}
}

func (emptyLedger) Record(context.Context, uint64) (writer.Record, error) {
	return writer.Record{}, errCrashed
}

// fakeAccess answers what its fields say. Without one everything is permitted to all, as they are.
type fakeAccess struct {
	authorize func(access.Question) access.Answer
	gone      func(id string) bool
	valid     func(access.Principal) (access.Principal, error)
	line      func(principal string) []string
}

func (a fakeAccess) Authorize(q access.Question) access.Answer {
	if a.authorize == nil {
		return access.Answer{Permitted: true}
	}
	return a.authorize(q)
}

func (a fakeAccess) Gone(id string) bool { return a.gone != nil && a.gone(id) }

func (a fakeAccess) AuthorValid(p access.Principal) (access.Principal, error) {
	if a.valid == nil {
		return p, nil
	}
	return a.valid(p)
}

func (a fakeAccess) Line(principal string) []string {
	if a.line == nil {
		return nil
	}
	return a.line(principal)
}

func (fakeAccess) Identify(_ context.Context, p access.Principal) (access.Principal, error) {
	return p, nil
}

func (fakeAccess) CatchUp(context.Context) error { return nil }

// counter counts how appends ended.
type counter map[writer.OutcomeState]int

func (c counter) Appended(s writer.OutcomeState) { c[s]++ }

func (counter) Deciding(context.Context, decide.Command) func(error) { return func(error) {} }

func (counter) BrokeGlass(requests.Request) {}

func (counter) Lived(requests.Event) {}

func (counter) ActedOnExpired(lifecycle.Action, string) {}

// needed is how many approvals a risky change needs here.
const needed = 2

// policy permits everything but to apply what is risky without approvals, as the default policy does.
func policy(q access.Question) access.Answer {
	c := q.Circumstances
	if (q.Action == access.Apply || q.Action == access.Change || q.Action == access.Archive) && c.Risk.High && !c.BreakGlass && c.Approvals < needed {
		return access.Answer{Approvals: needed}
	}
	return access.Answer{Permitted: true}
}

func everything(access.Question) access.Answer { return access.Answer{Permitted: true} }

func soaking() bool { return os.Getenv("FLAGSIDE_SOAK") == "1" }

func seen(revision uint64) decide.Precondition {
	return decide.Precondition{Match: changelog.Token{Epoch: statetest.Epoch.Short(), Revision: revision}}
}

func absent() decide.Precondition { return decide.Precondition{Absent: true} }
