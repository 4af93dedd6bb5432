package control_test

import (
	"testing"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

// compilations counts how often rules with one changed flag are compiled while something is done. Each takes two generations: one is of the
// rules, one of the flag.
func (r *replica) compilations(do func()) int {
	r.t.Helper()
	generation := func() uint64 {
		state, err := r.Current(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		next, _ := state.Rules().Update(nil)
		return next.Generation()
	}
	before := generation()
	do()
	return int(generation()-before-1) / 2
}

// A change is compiled once, however many ask what it leads to: the one that decides, permission, risk, what it is bound to and its warnings.
// The follower takes what was compiled, when it finds that in the log.
func TestAChangeIsCompiledOnce(t *testing.T) {
	t.Parallel()
	r := newReplica(t, newEnvironment(t))
	o := r.options(nil)
	o.Access = fakeAccess{authorize: everything}
	service := control.NewService(o)
	now := r.force("f", "begin")
	good, err := r.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const followed = 0
	f := func(what string, want int, do func() error) {
		t.Helper()
		got := r.compilations(func() {
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		})
		if got != want {
			t.Errorf("%s: compiled %d times, want %d", what, got, want)
		}
	}

	f("a write", 1+followed, func() error {
		result, err := service.Do(t.Context(), person("author"), decide.Put{ID: statetest.FlagID("f"), If: now, Body: statetest.FlagBody("on", `,"description":"x"`)})
		now = decide.Precondition{Match: result.Document}
		return err
	})
	f("a preview", 1, func() error {
		_, err := service.Preview(t.Context(), person("author"), decide.Toggle{Flag: "f", If: now})
		return err
	})
	var request requests.Request
	f("a proposal", 1, func() (err error) {
		request, err = service.Open(t.Context(), person("author"), decide.ProposalSpec{Command: decide.Toggle{Flag: "f", If: now}})
		return err
	})
	f("an approval", 1, func() error {
		_, err := service.HandleRequest(t.Context(), person("approver"), decide.Approve{Request: request.ID, Hash: request.Hash})
		return err
	})
	f("an apply", 1+followed, func() (err error) {
		request, err = service.Apply(t.Context(), person("author"), request.ID)
		return err
	})
	f("a restore", 1+followed, func() error {
		restored, err := service.Restore(t.Context(), person("author"), decide.Restoring{Snapshot: good, InHistory: true})
		if restored.Request.Status != requests.Applied {
			t.Errorf("the restore is %s", restored.Request.Status)
		}
		return err
	})
	if request.Status != requests.Applied {
		t.Errorf("the request is %s", request.Status)
	}
}
