package publisher_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// propose returns a change request of an editor that turns a flag of prod off.
func (r *running) propose(key, seen string) api.ChangeRequest {
	r.t.Helper()
	opened, err := r.as(secretOf("editor")).OpenRequest(r.t.Context(), "prod", api.NewRequest{
		Reason:  "it is time",
		Command: api.Command{Type: "put", Key: key, IfMatch: seen, IfAbsent: seen == "", Document: []byte(offDocument)},
	}, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	return opened
}

// refusedWith reports whether an error is a problem of a kind and status.
func refusedWith(err error, status int, kind string) bool {
	problem, ok := errors.AsType[*client.Error](err)
	return ok && problem.Status == status && strings.HasSuffix(problem.Type, ":"+kind)
}

// agreeAndApply lets an approver agree to a request, and its author apply it.
func (r *running) agreeAndApply(q api.ChangeRequest) api.ChangeRequest {
	r.t.Helper()
	if _, err := r.as(secretOf("approver")).ApproveRequest(r.t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{Reason: "fine"}); err != nil {
		r.t.Fatal(err)
	}
	applied, err := r.as(secretOf("editor")).ApplyRequest(r.t.Context(), "prod", q.ID, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	return applied
}

// governedTwice returns two publishers of one environment.
func governedTwice(t *testing.T) (one, other *running) {
	t.Helper()
	server := natstest.Start(t)
	one = governed(t, publisher.Options{NATS: server.URL()})
	other = governed(t, publisher.Options{NATS: server.URL()})
	one.create("prod")
	other.await("the environment of the other publisher", func() bool {
		_, err := other.Control(t.Context(), "prod")
		return err == nil
	})
	return one, other
}

// A request goes from an editor over an approver into the log, through two publishers, and shows who did what.
func TestAChangeRequestOverTwoPublishers(t *testing.T) {
	t.Parallel()
	one, other := governedTwice(t)
	opened := one.propose("f", "")
	if opened.Status != "open" || opened.Needed != 1 || !opened.Risk.High || opened.Author != "editor" || opened.Reason != "it is time" {
		t.Errorf("opened: %+v", opened)
	}
	if _, err := other.as(secretOf("editor")).ApplyRequest(t.Context(), "prod", opened.ID, api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "approval-required") {
		t.Errorf("without approval: %v", err)
	}
	if _, err := other.as(secretOf("editor")).ApproveRequest(t.Context(), "prod", opened.ID, opened.Hash, api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Errorf("the author approves: %v", err)
	}
	applied := other.agreeAndApply(opened)
	if applied.Status != "applied" || applied.Applied == "" || applied.AppliedBy != "editor" || len(applied.Approvals) != 1 || applied.Approvals[0].By != "approver" {
		t.Errorf("applied: %+v", applied)
	}
	history, err := one.client.History(t.Context(), "prod", flagID("f"), api.HistoryQuery{})
	if err != nil || len(history.Items) != 1 {
		t.Fatalf("%+v, %v", history, err)
	}
	if c := history.Items[0]; c.Actor != "editor" || c.Request != opened.ID || len(c.Approvers) != 1 || c.Approvers[0] != "approver" || c.Reason != "it is time" {
		t.Errorf("the log says %+v", c)
	}
	if _, err := one.as(secretOf("editor")).WithdrawRequest(t.Context(), "prod", opened.ID, api.ChangeHeaders{}); !refusedWith(err, http.StatusConflict, "not-open") {
		t.Errorf("withdrawn after it was applied: %v", err)
	}
}

// Anyone who approves what was made from something else since is refused, is shown what has moved, and approves what was made again.
func TestAStaleApprovalShowsTheRebase(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	created := r.agreeAndApply(r.propose("f", ""))
	open := func(c api.Command) api.ChangeRequest {
		q, err := r.as(secretOf("editor")).OpenRequest(t.Context(), "prod", api.NewRequest{Command: c}, api.ChangeHeaders{})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	stale := open(api.Command{Type: "patch", Key: "f", IfMatch: created.Applied, Patch: []byte(`{"description":"stale"}`)})
	later := r.agreeAndApply(open(api.Command{Type: "toggle", Key: "f", IfMatch: created.Applied}))
	_, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", stale.ID, stale.Hash, api.ChangeHeaders{})
	problem, ok := errors.AsType[*client.Error](err)
	if !ok || problem.Status != http.StatusConflict || !strings.HasSuffix(problem.Type, ":stale") || problem.Request != stale.ID ||
		len(problem.Moved) != 1 || problem.Moved[0].Key != "f" || problem.Moved[0].Revision == 0 {
		t.Fatalf("a stale approval: %+v", err)
	}
	anew, err := r.as(secretOf("editor")).RebaseRequest(t.Context(), "prod", stale.ID, api.NewRequest{
		Command: api.Command{Type: "patch", Key: "f", IfMatch: later.Applied, Patch: []byte(`{"description":"anew"}`)},
	}, api.ChangeHeaders{})
	if err != nil || anew.Hash == stale.Hash || anew.Status != "open" {
		t.Fatalf("made again: %+v, %v", anew, err)
	}
	if _, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", stale.ID, stale.Hash, api.ChangeHeaders{}); !refusedWith(err, http.StatusConflict, "stale") {
		t.Errorf("approved by the hash of before: %v", err)
	}
	if applied := r.agreeAndApply(anew); applied.Status != "applied" {
		t.Errorf("applied: %+v", applied)
	}
}

// A request whose base has moved is found by its status, with what has moved, and counted.
func TestWhatNeedsARebaseIsListed(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{OpenRequests: 2})
	r.create("prod")
	r.create("staging")
	seen := r.put("staging", "f", flagBody("on", ""), absent())
	open := func(key, match string) (api.ChangeRequest, error) {
		return r.as(secretOf("editor")).OpenRequest(t.Context(), "staging", api.NewRequest{
			Command: api.Command{Type: "put", Key: key, IfMatch: match, IfAbsent: match == "", Document: []byte(offDocument)},
		}, api.ChangeHeaders{})
	}
	stale, err := open("f", seen.Match.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open("g", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := open("h", ""); !refusedWith(err, http.StatusConflict, "too-many") {
		t.Errorf("one too many: %v", err)
	}
	now := r.put("staging", "f", flagBody("off", ""), seen)
	listed, err := r.client.AllRequests(t.Context(), "staging", api.RequestQuery{Status: "needs_rebase"})
	if err != nil || len(listed) != 1 || listed[0].ID != stale.ID || len(listed[0].Moved) != 1 || listed[0].Moved[0].Revision != now.Match.Revision {
		t.Errorf("%+v, %v", listed, err)
	}
	if listed, err := r.client.AllRequests(t.Context(), "staging", api.RequestQuery{Status: "open"}); err != nil || len(listed) != 1 || listed[0].Changes[0].Key != "g" {
		t.Errorf("%+v, %v", listed, err)
	}
	const path = "/api/v1/environments/staging/requests?limit=1"
	first := r.ask(http.MethodGet, path, "")
	rest := r.ask(http.MethodGet, path+"&after="+stale.ID, "")
	if !strings.Contains(first.body, `"next":"`+stale.ID+`"`) || strings.Contains(rest.body, `"next"`) || strings.Contains(rest.body, `"id":"`+stale.ID) {
		t.Errorf("in parts: %s\n%s", first.body, rest.body)
	}
	text := r.ask(http.MethodGet, "/metrics", "").body
	for status, count := range map[string]int{"needs_rebase": 1, "open": 1, "claimed": 0} {
		if line := fmt.Sprintf("flagside_change_requests{environment=\"staging\",status=%q} %d\n", status, count); !strings.Contains(text, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// A change that comes before the approval always makes it stale, through whichever publisher either of them comes.
func TestApproveAfterChangeIsRefused(t *testing.T) {
	t.Parallel()
	one, other := governedTwice(t)
	seen := one.agreeAndApply(one.propose("f", "")).Applied
	for round := range max(rounds()/5, 5) {
		first, second := one, other
		if round%2 == 1 {
			first, second = other, one
		}
		loser, err := first.as(secretOf("editor")).OpenRequest(t.Context(), "prod", api.NewRequest{
			Command: api.Command{Type: "patch", Key: "f", IfMatch: seen, Patch: []byte(`{"description":"lost"}`)},
		}, api.ChangeHeaders{})
		if err != nil {
			t.Fatal(err)
		}
		winner, err := second.as(secretOf("editor")).OpenRequest(t.Context(), "prod", api.NewRequest{
			Command: api.Command{Type: "toggle", Key: "f", IfMatch: seen, On: round%2 == 1},
		}, api.ChangeHeaders{})
		if err != nil {
			t.Fatal(err)
		}
		seen = second.agreeAndApply(winner).Applied
		if _, err := first.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", loser.ID, loser.Hash, api.ChangeHeaders{}); !refusedWith(err, http.StatusConflict, "stale") {
			t.Fatalf("round %d: approved what has moved: %v", round, err)
		}
	}
}

// Two people apply the same request through two publishers at once: it is in the log once.
func TestAppliedOnce(t *testing.T) {
	t.Parallel()
	one, other := governedTwice(t)
	q := one.propose("f", "")
	if _, err := one.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, r := range []*running{one, other, one, other} {
		wg.Go(func() {
			_, err := r.as(secretOf("editor")).ApplyRequest(t.Context(), "prod", q.ID, api.ChangeHeaders{})
			if err != nil && !refusedWith(err, http.StatusConflict, "not-open") {
				t.Errorf("apply: %v", err)
			}
		})
	}
	wg.Wait()
	history, err := one.client.History(t.Context(), "prod", flagID("f"), api.HistoryQuery{})
	if err != nil || len(history.Items) != 1 {
		t.Errorf("%d changes, %v", len(history.Items), err)
	}
}

// The same idempotency key changes nothing twice, for commands that are derived from what is there as well.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	r.create("other")
	first := r.put("staging", "f", flagBody("on", ""), absent())
	second := r.put("staging", "f", flagBody("off", ""), first)
	r.put("other", "f", flagBody("on", `,"description":"promoted"`), absent())
	ctx, id := t.Context(), flagID("f")
	back, err := r.client.RollBack(ctx, "staging", id, first.Match.String(), api.ChangeHeaders{IdempotencyKey: "back", Reason: "it was better"})
	if err != nil || !back.Changed {
		t.Fatalf("%+v, %v", back, err)
	}
	promoted, err := r.client.Promote(ctx, "staging", api.PromoteEnvironment{From: "other", Flags: []string{"f"}, Prune: false}, api.ChangeHeaders{IdempotencyKey: "forth"})
	if err != nil || !promoted.Changed {
		t.Fatalf("%+v, %v", promoted, err)
	}
	if again, err := r.client.RollBack(ctx, "staging", id, first.Match.String(), api.ChangeHeaders{IdempotencyKey: "back"}); err != nil || again.Revision != back.Revision {
		t.Errorf("rolled back again: %+v, %v; want %s", again, err, back.Revision)
	}
	if again, err := r.client.Promote(ctx, "staging", api.PromoteEnvironment{From: "other", Flags: []string{"f"}, Prune: false}, api.ChangeHeaders{IdempotencyKey: "forth"}); err != nil || again.Revision != promoted.Revision {
		t.Errorf("promoted again: %+v, %v; want %s", again, err, promoted.Revision)
	}
	if _, err := r.client.RollBack(ctx, "staging", id, second.Match.String(), api.ChangeHeaders{IdempotencyKey: "back"}); !refusedWith(err, http.StatusUnprocessableEntity, "key-reused") {
		t.Errorf("the key for something else: %v", err)
	}
	body, _, err := r.client.Document(ctx, "staging", id)
	if err != nil || !strings.Contains(string(body), "promoted") {
		t.Errorf("%s, %v", body, err)
	}
	want := api.NewRequest{Command: api.Command{Type: "put", Key: "g", IfAbsent: true, Document: []byte(offDocument)}}
	opened, err := r.client.OpenRequest(ctx, "staging", want, api.ChangeHeaders{IdempotencyKey: "open"})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.client.OpenRequest(ctx, "staging", want, api.ChangeHeaders{IdempotencyKey: "open"}); err != nil || again.ID != opened.ID {
		t.Errorf("opened again: %s, %v; want %s", again.ID, err, opened.ID)
	}
}

// A preview tells what would change and who must agree, and changes nothing.
func TestPreview(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	before := r.revision("prod")
	p, err := r.as(secretOf("editor")).Preview(t.Context(), "prod", api.Command{Type: "documents", Changes: []api.CommandChange{
		{Key: "a", Document: []byte(offDocument)}, {Key: "b", Document: []byte(offDocument)},
	}})
	if err != nil || len(p.Differences) != 2 || p.Permitted || p.Refused == nil || p.Refused.Approvals != 1 || !p.Risk.High {
		t.Errorf("%+v, %v", p, err)
	}
	if after := r.revision("prod"); after != before {
		t.Errorf("the preview has changed something: %s, was %s", after, before)
	}
}

// A promotion adds and changes. It deletes what it is told to, and a flag that does not exist is not passed over.
func TestPromotionDeletesNothingUnasked(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	r.create("other")
	r.put("staging", "f", flagBody("on", ""), absent())
	r.put("staging", "here", flagBody("on", ""), absent())
	r.put("other", "f", flagBody("off", ""), absent())
	r.put("other", "new", flagBody("on", ""), absent())
	f := func(what string, flags []string, prune bool, want ...string) {
		t.Helper()
		done, err := r.client.Promote(t.Context(), "staging", api.PromoteEnvironment{From: "other", Flags: flags, Prune: prune}, api.ChangeHeaders{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		var got []string
		for _, e := range done.Effects {
			got = append(got, e.Done+" "+e.Key)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for _, prune := range []bool{false, true} {
		if _, err := r.client.Promote(t.Context(), "staging", api.PromoteEnvironment{From: "other", Flags: []string{"f", "typo"}, Prune: prune}, api.ChangeHeaders{}); !refusedWith(err, http.StatusNotFound, "not-found") {
			t.Errorf("a flag that is nowhere: %v", err)
		}
	}
	if _, err := r.client.Promote(t.Context(), "staging", api.PromoteEnvironment{From: "other", Flags: []string{"here"}, Prune: false}, api.ChangeHeaders{}); !refusedWith(err, http.StatusNotFound, "not-found") {
		t.Errorf("a flag that the source lacks: %v", err)
	}
	f("everything", nil, false, "added new", "changed f")
	f("again", nil, false)
	f("pruning", nil, true, "deleted here")
	r.put("staging", "here", flagBody("on", ""), absent())
	f("pruning one flag", []string{"here"}, true, "deleted here")
}
