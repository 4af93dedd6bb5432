package control_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/internal/waiting"
)

func rounds(few int) int {
	if soaking() {
		return 1000
	}
	return few
}

// Two editors who have seen the same change it through two publishers: exactly one wins, and nothing is lost.
func TestTwoEditorsRace(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	replicas := []*replica{newReplica(t, url), newReplica(t, url)}
	now := replicas[0].force("f", "begin")
	for round := range rounds(100) {
		var wins atomic.Int32
		var wg sync.WaitGroup
		next := now
		for i, r := range replicas {
			wg.Go(func() {
				patch := decide.Patch{ID: statetest.FlagID("f"), If: now, Merge: fmt.Appendf(nil, `{"description":"%d by %d"}`, round, i)}
				result, err := r.Do(t.Context(), owner(), patch)
				switch {
				case err == nil:
					wins.Add(1)
					next = decide.Precondition{Match: result.Document}
				case !isRefused(err, decide.CausePreconditionFailed):
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if n := wins.Load(); n != 1 {
			t.Fatalf("round %d: %d editors have won", round, n)
		}
		now = next
	}
	changes := 0
	for _, err := range replicas[0].History(t.Context(), statetest.FlagID("f")) {
		if err != nil {
			t.Fatal(err)
		}
		changes++
	}
	if want := rounds(100) + 1; changes != want {
		t.Errorf("%d changes are in the log, want %d", changes, want)
	}
}

// An approval after what it was made from was changed is always refused, through whichever publisher.
func TestApproveAfterChange(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	for round := range rounds(25) {
		now := one.force("f", fmt.Sprint("before ", round))
		request := one.open("f", fmt.Sprint("proposed ", round), now)
		one.force("f", fmt.Sprint("after ", round))
		_, err := other.HandleRequest(t.Context(), person("one"), decide.Approve{Request: request.ID, Hash: request.Hash})
		refusal, ok := errors.AsType[*decide.Refusal](err)
		if !ok || refusal.Cause != decide.CauseStale || len(refusal.Moved) != 1 || refusal.Moved[0].Key != "f" {
			t.Fatalf("round %d: approving what is stale: %v", round, err)
		}
	}
}

// Its author withdraws a request while it is applied through another publisher: one of them wins, and the log agrees.
func TestWithdrawRacesApply(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	outcomes := map[requests.Status]int{}
	for round := range rounds(50) {
		request := one.open("f", fmt.Sprint("proposed ", round), one.force("f", fmt.Sprint("before ", round)))
		one.approve(request)
		var wg sync.WaitGroup
		var withdrawn, applied error
		wg.Go(func() {
			time.Sleep(time.Duration(round%5) * time.Millisecond)
			_, withdrawn = one.HandleRequest(t.Context(), person("author"), decide.Withdraw{Request: request.ID})
		})
		wg.Go(func() { _, applied = other.Apply(t.Context(), person("author"), request.ID) })
		wg.Wait()
		if (withdrawn == nil) == (applied == nil) {
			t.Fatalf("round %d: withdrawing: %v, applying: %v", round, withdrawn, applied)
		}
		now, err := one.Request(t.Context(), request.ID)
		if err != nil {
			t.Fatal(err)
		}
		outcomes[now.Status]++
		if n := one.entries(request.ID); (now.Status == requests.Applied) != (n == 1) || (now.Status == requests.Withdrawn) != (n == 0) {
			t.Errorf("round %d: the request is %s, and %d entries are in the log", round, now.Status, n)
		}
	}
	t.Logf("%v", outcomes)
}

// A publisher that stops before or after any of its steps leaves a request that another one applies, once.
func TestCrashWhileApplying(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	for steps := range 7 {
		for _, between := range []bool{false, true} {
			crashAndFinish(t, one, other, steps, between)
		}
	}
}

// crashAndFinish applies a request until a publisher stops after some steps, changes the flag if between is set, and lets another
// publisher go on.
func crashAndFinish(t *testing.T, one, other *replica, steps int, between bool) {
	t.Helper()
	request := one.open("f", fmt.Sprint("proposed ", steps, between), one.force("f", fmt.Sprint("before ", steps, between)))
	one.approve(request)
	crashing := control.NewService(one.options(crashAfter(steps)))
	_, err := crashing.Apply(t.Context(), person("author"), request.ID)
	if crashed := steps < 6; (err != nil) != crashed {
		t.Fatalf("after %d steps: %v", steps, err)
	}
	written := one.entries(request.ID) == 1
	if between {
		one.force("f", fmt.Sprint("between ", steps))
	}
	finished, err := other.Apply(t.Context(), person("author"), request.ID)
	n := one.entries(request.ID)
	switch {
	case between && !written && n == 0 && (isRefused(err, decide.CauseStale) || finished.Status == requests.NeedsRebase):
	case (!between || written) && n == 1 && err == nil && finished.Status == requests.Applied:
	default:
		t.Errorf("after %d steps, changed between: %v: it is %s, %v, and %d entries are in the log", steps, between, finished.Status, err, n)
	}
	if err == nil && finished.Status == requests.NeedsRebase {
		_, err = other.HandleRequest(t.Context(), person("author"), decide.Withdraw{Request: request.ID})
		if err != nil {
			t.Errorf("withdrawing what needs a rebase: %v", err)
		}
	}
}

// Run carries out what was scheduled, also what another publisher has claimed and left.
func TestRunCarriesOutWhatIsDue(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one := newReplica(t, url)
	schedule := func(key string, p decide.ProposalSpec) requests.Request {
		p.Command = decide.Put{ID: statetest.FlagID(key), Body: statetest.FlagBody("on", ""), If: absent()}
		request, err := one.Open(t.Context(), person("author"), p)
		if err != nil {
			t.Fatal(err)
		}
		one.approve(request)
		return request
	}
	soon := time.Now().Add(3 * time.Second)
	left := schedule("left", decide.ProposalSpec{})
	crashing := control.NewService(one.options(crashAfter(2)))
	if _, err := crashing.Apply(t.Context(), person("author"), left.ID); !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	due := schedule("due", decide.ProposalSpec{ApplyAt: soon})
	cancelled := schedule("cancelled", decide.ProposalSpec{ApplyAt: soon.Add(time.Hour)})
	stale := schedule("stale", decide.ProposalSpec{ApplyAt: soon.Add(time.Second)})
	late := schedule("late", decide.ProposalSpec{ApplyAt: time.Now().Add(-50 * time.Second), MaxDelay: time.Second})
	expiring := schedule("expiring", decide.ProposalSpec{Expires: soon})
	if _, err := one.HandleRequest(t.Context(), person("author"), decide.Withdraw{Request: cancelled.ID}); err != nil {
		t.Fatal(err)
	}
	one.force("stale", "another")
	other := newReplica(t, url) // as if after a restart
	one.run(func(ctx context.Context) { _ = other.Service.Run(ctx) }, func() {})
	want := map[string]requests.Status{
		left.ID: requests.Applied, due.ID: requests.Applied, cancelled.ID: requests.Withdrawn,
		stale.ID: requests.NeedsRebase, late.ID: requests.Expired, expiring.ID: requests.Expired,
	}
	for id, status := range want {
		waiting.UntilNil(t, "the end of a request", func() error {
			now, err := one.Request(t.Context(), id)
			if err == nil && now.Status != status {
				err = fmt.Errorf("the request of %q is %s, want %s", now.Proposal.Changes[0].Key, now.Status, status)
			}
			return err
		})
		wanted := 0
		if status == requests.Applied {
			wanted = 1
		}
		if n := one.entries(id); n != wanted {
			t.Errorf("request %s is %s, and %d entries are in the log", id, status, n)
		}
	}
}

// What was scheduled is not applied when its author does not count any more at its time, and waits while that is not known.
func TestScheduledByWhoWasRevoked(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one := newReplica(t, url)
	opened := map[string]requests.Request{}
	for _, author := range []string{"revoked", "unknown", "author"} {
		request, err := one.Open(t.Context(), person(author), decide.ProposalSpec{
			Command: decide.Put{ID: statetest.FlagID(author), Body: statetest.FlagBody("on", ""), If: absent()}, ApplyAt: time.Now().Add(time.Second),
		})
		if err != nil {
			t.Fatal(err)
		}
		one.approve(request)
		opened[author] = request
	}
	o := one.options(nil)
	o.Access = fakeAccess{authorize: policy, valid: func(p access.Principal) (access.Principal, error) {
		return p, map[string]error{"revoked": access.ErrRejected, "unknown": access.ErrUnavailable}[p.ID]
	}}
	due := control.NewService(o)
	one.run(func(ctx context.Context) { _ = due.Run(ctx) }, func() {})
	status := func(author string) requests.Status {
		now, err := one.Request(t.Context(), opened[author].ID)
		if err != nil {
			t.Fatal(err)
		}
		return now.Status
	}
	waiting.UntilNil(t, "both requests", func() error {
		if revoked, author := status("revoked"), status("author"); revoked != requests.Failed || author != requests.Applied {
			return fmt.Errorf("revoked: %s, author: %s", revoked, author)
		}
		return nil
	})
	if got := status("unknown"); got != requests.Open {
		t.Errorf("unknown: %s", got)
	}
	if n := one.entries(opened["revoked"].ID); n != 0 {
		t.Errorf("%d entries are in the log", n)
	}
}

// It is not known whether approvers are still valid: nothing is applied, and the request stays open.
func TestApplyWithUnknownApprovers(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	r := one.open("f", "approved", one.force("f", "before"))
	one.approve(r)
	o := one.options(nil)
	o.Access = fakeAccess{authorize: policy, valid: func(p access.Principal) (access.Principal, error) { return p, access.ErrUnavailable }}
	if _, err := control.NewService(o).Apply(t.Context(), person("author"), r.ID); !errors.Is(err, control.ErrUnconfirmed) {
		t.Errorf("applied: %v", err)
	}
	if now, err := one.Request(t.Context(), r.ID); err != nil || now.Status != requests.Open {
		t.Errorf("it is %s, %v", now.Status, err)
	}
}

// Repeating a command with its key changes nothing again, through whichever publisher.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	origin := owner()
	origin.Key = "k1"
	put := decide.Put{ID: statetest.FlagID("f"), Body: statetest.FlagBody("on", ""), If: absent()}
	first, err := one.Do(t.Context(), origin, put)
	if err != nil {
		t.Fatal(err)
	}
	one.force("f", "meanwhile")
	again, err := other.Do(t.Context(), origin, put)
	if err != nil || again.Position != first.Position || again.OpID != first.OpID || again.Written != first.Written {
		t.Errorf("again: %+v, %v; want %+v", again, err, first)
	}
	put.Body = statetest.FlagBody("off", "")
	if _, err := other.Do(t.Context(), origin, put); !isRefused(err, decide.CauseKeyReused) {
		t.Errorf("another command with the key: %v", err)
	}
	another := person("another")
	another.Owner, another.Key = true, "k1"
	if _, err := other.Do(t.Context(), another, put); !isRefused(err, decide.CausePreconditionFailed) {
		t.Errorf("another one's key: %v", err)
	}
	author := person("author")
	author.Key = "k2"
	proposing := decide.ProposalSpec{Command: decide.Put{ID: statetest.FlagID("g"), Body: statetest.FlagBody("on", ""), If: absent()}}
	opened, err := one.Open(t.Context(), author, proposing)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := other.Open(t.Context(), author, proposing); err != nil || same.ID != opened.ID {
		t.Errorf("opened again: %v, %v", same.ID, err)
	}
}

// A command of several parts that was interrupted goes on when it is repeated with its key, and is not done again once it is complete.
func TestKeyedPartsAreResumed(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one, other := newReplica(t, url), newReplica(t, url)
	origin := owner()
	origin.Key = "large"
	var documents []document.Document
	for i := range 2100 {
		documents = append(documents, statetest.FlagDocument(fmt.Sprintf("f%04d", i), statetest.FlagBody("on", "")))
	}
	replace := decide.Replace{Documents: documents}
	crashing := control.NewService(one.options(crashAfter(2)))
	if _, err := crashing.Do(t.Context(), origin, replace); !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	resumed, err := other.Do(t.Context(), origin, replace)
	if err != nil || resumed.Written != 1100 {
		t.Fatalf("%d documents were written by the second, %v", resumed.Written, err)
	}
	one.force("f0000", "changed since")
	again, err := one.Do(t.Context(), origin, replace)
	if err != nil || again.Position != resumed.Position || again.Written != 2100 {
		t.Errorf("again: %+v, %v, want %+v", again, err, resumed)
	}
}

// Unauthenticated requests become one event.
func TestUnauthenticatedAreSummarized(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	since := time.Unix(1, 0).UTC()
	one.Summarize(t.Context(), since)
	for range 3 {
		one.CountUnauthenticated()
	}
	one.Summarize(t.Context(), since)
	one.Summarize(t.Context(), since)
	var counts []uint64
	for record, err := range one.journal.Read(t.Context(), 1) {
		var e requests.Event
		if err == nil {
			e, err = requests.DecodeEvent(record.Body)
		}
		if err != nil || e.Type != requests.EventUnauthenticated || !e.Since.Equal(since) {
			t.Fatalf("%+v, %v", e, err)
		}
		counts = append(counts, e.Count)
	}
	if len(counts) != 1 || counts[0] != 3 {
		t.Errorf("counts %v, want one of 3", counts)
	}
}

// What policies do not permit is refused, and recorded for those who are known.
func TestForbiddenIsRecorded(t *testing.T) {
	t.Parallel()
	url := newEnvironment(t)
	one := newReplica(t, url)
	o := one.options(nil)
	o.Access = fakeAccess{authorize: func(access.Question) access.Answer { return access.Answer{Policies: []string{"none"}} }}
	strict := control.NewService(o)
	put := decide.Put{ID: statetest.FlagID("f"), Body: statetest.FlagBody("on", ""), If: absent()}
	if _, err := strict.Do(t.Context(), person("mallory"), put); !isRefused(err, decide.CauseForbidden) {
		t.Fatalf("got %v", err)
	}
	if _, err := one.Do(t.Context(), person("editor"), put); !isRefused(err, decide.CauseApprovalRequired) {
		t.Fatalf("a risky change without approvals: %v", err)
	}
	preview, err := one.Preview(t.Context(), person("editor"), put)
	if err != nil || len(preview.Differences) != 1 || !preview.Risk.High || preview.Refused == nil || preview.Refused.Approvals != needed {
		t.Errorf("preview: %+v, %v", preview, err)
	}
	if preview, err = one.Preview(t.Context(), owner(), put); err != nil || preview.Refused != nil {
		t.Errorf("preview of the owner: %+v, %v", preview, err)
	}
	var recorded []requests.Event
	for record, err := range one.journal.Read(t.Context(), 1) {
		var e requests.Event
		if err == nil {
			e, err = requests.DecodeEvent(record.Body)
		}
		if err != nil {
			t.Fatal(err)
		}
		recorded = append(recorded, e)
	}
	if len(recorded) != 1 || recorded[0].By != "mallory" || recorded[0].Refusal.Key != "f" || recorded[0].Refusal.Policies[0] != "none" {
		t.Errorf("recorded %+v", recorded)
	}
}
