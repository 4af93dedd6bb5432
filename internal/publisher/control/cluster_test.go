package control_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

// On three servers whose leaders change while a request is applied through one publisher and withdrawn through another, it is applied
// once or not at all, and the ledger and the log agree.
func TestLeadersChangeWhileApplying(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t)
	createEnvironment(t, cluster.URL(), 3)
	one, other := newReplicaOf(t, cluster.URL(), 3), newReplicaOf(t, cluster.URL(), 3)
	outcomes := map[requests.Status]int{}
	few := 4
	if soaking() {
		few = 50
	}
	for round := range few {
		request := one.openPatiently(round)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = one.Apply(t.Context(), person("author"), request.ID) })
		if round%2 == 1 {
			wg.Go(func() {
				_, _ = other.HandleRequest(t.Context(), person("author"), decide.Withdraw{Request: request.ID})
			})
		}
		for _, stream := range []string{"LEDGER_prod", "FLAGS_prod"} {
			cluster.Leader(t, stream).StepDown(t, stream)
		}
		wg.Wait()
		var end requests.Request
		patiently(t, func() (err error) {
			if end, err = other.Request(t.Context(), request.ID); err == nil && end.Status != requests.Withdrawn {
				end, err = other.Apply(t.Context(), person("author"), request.ID)
			}
			return err
		})
		outcomes[end.Status]++
		n := 0
		patiently(t, func() (err error) {
			n, err = one.count(request.ID)
			return err
		})
		if (end.Status == requests.Applied) != (n == 1) || (end.Status == requests.Withdrawn) != (n == 0) {
			t.Errorf("round %d: the request is %s, and %d entries are in the log", round, end.Status, n)
		}
	}
	t.Logf("%v", outcomes)
	if outcomes[requests.Applied] == 0 {
		t.Error("nothing was applied")
	}
}

// openPatiently opens a request for a flag of its own and has it approved, on servers that may have no leader now.
func (r *replica) openPatiently(round int) requests.Request {
	r.t.Helper()
	author := person("author")
	author.Key = fmt.Sprint("round ", round)
	var request requests.Request
	patiently(r.t, func() (err error) {
		request, err = r.Open(r.t.Context(), author, decide.ProposalSpec{
			Command: decide.Put{ID: statetest.FlagID(fmt.Sprint("f", round)), Body: statetest.FlagBody("on", ""), If: absent()},
		})
		return err
	})
	for _, who := range []string{"one", "two"} {
		patiently(r.t, func() error {
			_, err := r.HandleRequest(r.t.Context(), person(who), decide.Approve{Request: request.ID, Hash: request.Hash})
			if refusal, ok := errors.AsType[*decide.Refusal](err); ok && refusal.Cause == decide.CauseNotOpen {
				return nil // by an attempt that was not answered
			}
			return err
		})
	}
	return request
}
