package control_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/writer"
)

// A request that was made from what has changed since shows that, and what, through every publisher.
func TestWhatHasMovedIsShown(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	now := one.force("f", "before")
	open := one.open("f", "proposed", now)
	scheduled, err := one.Open(t.Context(), person("author"), decide.ProposalSpec{
		Command: decide.Patch{ID: statetest.FlagID("f"), If: now, Merge: []byte(`{"description":"later"}`)}, ApplyAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	untouched := one.open("g", "proposed", one.force("g", "before"))
	now = one.force("f", "after")
	for _, id := range []string{open.ID, scheduled.ID} {
		r, err := other.Request(t.Context(), id)
		want := []requests.Base{{Kind: "flag", Key: "f", Revision: now.Match.Revision}}
		if diff := cmp.Diff(want, r.Moved); err != nil || r.Status != requests.NeedsRebase || diff != "" {
			t.Errorf("it is %s, %v; moved (-want +got):\n%s", r.Status, err, diff)
		}
	}
	all, err := other.Requests(t.Context())
	counts := map[requests.Status]int{}
	for _, r := range all {
		counts[r.Status]++
	}
	if diff := cmp.Diff(map[requests.Status]int{requests.NeedsRebase: 2, requests.Open: 1}, counts); err != nil || diff != "" {
		t.Errorf("listed: %v (-want +got):\n%s", err, diff)
	}
	want := map[requests.Status]int{requests.NeedsRebase: 2, requests.Open: 1, requests.Claimed: 0}
	if diff := cmp.Diff(want, other.Waiting()); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	if _, err := other.Apply(t.Context(), person("author"), open.ID); !isRefused(err, decide.CauseStale) {
		t.Errorf("applied: %v", err)
	}
	again := decide.Patch{ID: statetest.FlagID("f"), If: now, Merge: []byte(`{"description":"again"}`)}
	if _, err := one.HandleRequest(t.Context(), person("author"), decide.Rebase{Request: open.ID, ProposalSpec: decide.ProposalSpec{Command: again}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{open.ID, untouched.ID} {
		if r, err := other.Request(t.Context(), id); err != nil || r.Status != requests.Open || r.Moved != nil {
			t.Errorf("%s of %v, %v; want it open", r.Status, r.Moved, err)
		}
	}
}

// No author keeps more requests waiting than is allowed; those that have ended do not count, nor those of others.
func TestOpenRequestsOfOneAuthor(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	o := one.options(nil)
	o.OpenRequests = 3
	bounded := control.NewService(o)
	open := func(who, key string) (requests.Request, error) {
		origin := person(who)
		origin.Key = key
		return bounded.Open(t.Context(), origin, decide.ProposalSpec{
			Command: decide.Put{ID: statetest.FlagID(key), Body: statetest.FlagBody("on", ""), If: absent()},
		})
	}
	var first requests.Request
	for i := range 3 {
		r, err := open("author", fmt.Sprint("f", i))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = r
		}
	}
	if _, err := open("author", "f3"); !isRefused(err, decide.CauseTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if r, err := open("author", "f0"); err != nil || r.ID != first.ID {
		t.Errorf("the first one again: %s, %v", r.ID, err)
	}
	if _, err := open("another", "f3"); err != nil {
		t.Error(err)
	}
	if _, err := bounded.HandleRequest(t.Context(), person("author"), decide.Withdraw{Request: first.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := open("author", "f3"); err != nil {
		t.Errorf("after one was withdrawn: %v", err)
	}
}

// The documents of a request that has ended are not kept in memory, and are there for readers who ask for it.
func TestDocumentsOfEndedRequests(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one := newReplica(t, url)
	applied := one.open("f", "applied", one.force("f", "before"))
	one.approve(applied)
	withdrawn := one.open("g", "withdrawn", one.force("g", "before"))
	want := map[string]string{}
	for _, r := range []requests.Request{applied, withdrawn} {
		want[r.ID] = string(r.Proposal.Changes[0].Body)
	}
	end, err := one.Apply(t.Context(), person("author"), applied.ID)
	if err != nil || string(end.Proposal.Changes[0].Body) != want[applied.ID] {
		t.Errorf("%+v, %v", end.Proposal, err)
	}
	end, err = one.HandleRequest(t.Context(), person("author"), decide.Withdraw{Request: withdrawn.ID})
	if err != nil || string(end.Proposal.Changes[0].Body) != want[withdrawn.ID] {
		t.Errorf("%+v, %v", end.Proposal, err)
	}
	for _, r := range []*replica{one, newReplica(t, url)} {
		all, err := r.Requests(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatal(len(all), err)
		}
		for _, listed := range all {
			shown, err := r.Request(t.Context(), listed.ID)
			if err != nil || listed.Proposal.Changes[0].Body != nil || string(shown.Proposal.Changes[0].Body) != want[listed.ID] || shown.Hash != shown.Proposal.Hash() {
				t.Errorf("listed %+v, shown %+v, %v", listed.Proposal, shown.Proposal, err)
			}
			if _, err := r.HandleRequest(t.Context(), person("commenter"), decide.Comment{Request: listed.ID, Text: "so be it"}); err != nil {
				t.Error(err)
			}
		}
	}
}

// What others have appended is told by the log, whatever it was appended for.
func TestOperationsOfOthers(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	written, err := one.Do(t.Context(), owner(), decide.Put{ID: statetest.FlagID("f"), Body: statetest.FlagBody("on", ""), If: absent()})
	if err != nil {
		t.Fatal(err)
	}
	request := one.open("f", "proposed", decide.Precondition{Match: written.Document})
	one.approve(request)
	applied, err := one.Apply(t.Context(), person("author"), request.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []control.Operation{
		{OpID: written.OpID, State: writer.Committed, Position: written.Position},
		{OpID: request.ID, State: writer.Committed, Position: applied.Applied},
		{OpID: "none"},
	} {
		got, err := other.Operation(t.Context(), want.OpID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// A hundred thousand requests that have ended cost what is said about them, not what they have changed.
func TestMemoryOfEndedRequests(t *testing.T) {
	if !soaking() {
		t.Skip("measures memory: set FLAGSIDE_SOAK=1")
	}
	const many = 100_000
	body := fmt.Appendf(nil, `{"description":%q}`, strings.Repeat("x", 4000))
	g := requests.NewGovernance("prod")
	before := heap()
	for i := range many {
		id := fmt.Sprintf("r%025d", i)
		evolve := func(e requests.Event) {
			e.Request, e.At, e.By = id, time.Unix(int64(i), 0), "token:abcdefgh"
			if err := g.Evolve(g.Sequence()+1, e); err != nil {
				t.Fatal(err)
			}
		}
		evolve(requests.Event{Type: requests.EventOpened, Proposal: &requests.Proposal{
			Epoch: statetest.Epoch, Author: requests.Author{ID: "token:abcdefgh"}, Bases: []requests.Base{{Kind: "flag", Key: "f", Revision: 7}},
			Changes: []requests.DocumentChange{{Kind: "flag", Key: "f", Body: append([]byte(nil), body...)}},
		}})
		evolve(requests.Event{Type: requests.EventWithdrawn})
	}
	used := heap() - before
	t.Logf("%d MB for %d requests with documents of %d bytes", used>>20, many, len(body))
	if used > 200<<20 {
		t.Error("that is too much")
	}
	runtime.KeepAlive(g)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
