package control_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/writer"
)

// virtual is a clock that goes when it is told to.
type virtual struct {
	mu  sync.Mutex
	now time.Time
}

func (v *virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

func (v *virtual) set(date string) {
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = at.Add(12 * time.Hour)
}

// acts counts what was done about expired flags.
type acts struct {
	counter

	failed atomic.Int64
}

// Appended counts nothing: several publishers append at once.
func (*acts) Appended(writer.OutcomeState) {}

func (a *acts) ActedOnExpired(_ lifecycle.Action, outcome string) {
	if outcome == control.ActionFailed {
		a.failed.Add(1)
	}
}

// old is an environment whose clock is virtual, with publishers that look at the lives of its flags.
type old struct {
	*replica

	t     *testing.T
	clock *virtual
	all   []*control.Service
	acts  *acts
	may   func(access.Question) access.Answer
}

// growOld starts two publishers, which act at the same time.
func growOld(t *testing.T, date string, may func(access.Question) access.Answer) *old {
	t.Helper()
	e := &old{t: t, clock: &virtual{}, acts: &acts{}, may: may}
	e.clock.set(date)
	url := newEnvironment(t)
	e.replica = e.join(newReplica(t, url))
	e.join(newReplica(t, url))
	return e
}

// join starts a publisher.
func (e *old) join(r *replica) *replica {
	o := r.options(nil)
	o.Now, o.Observer = e.clock.Now, e.acts
	o.Access = fakeAccess{authorize: func(q access.Question) access.Answer { return e.may(q) }}
	r.Service = control.NewService(o)
	r.run(func(ctx context.Context) { _ = r.Service.Run(ctx) }, func() {})
	e.all = append(e.all, r.Service)
	return r
}

// put writes a flag of kind and expires, answered by a rule.
func (e *old) put(key, kind, expires, more string) {
	e.t.Helper()
	body := statetest.FlagBody("off", fmt.Sprintf(`,"kind":%q,"expires":%q,"owner":"team-%s","targeting":{"fractional":[["on",50],["off",50]]}%s`, kind, expires, key, more))
	e.write(key, body)
}

func (e *old) write(key string, body []byte) {
	e.t.Helper()
	state, err := e.Current(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	seen := absent()
	if live, exists := state.Document(statetest.FlagID(key)); exists {
		seen = decide.Precondition{Match: decide.Token(state, live)}
	}
	if _, err := e.Do(e.t.Context(), owner(), decide.Put{ID: statetest.FlagID(key), Body: body, If: seen}); err != nil {
		e.t.Fatal(err)
	}
}

// remove archives a flag.
func (e *old) remove(key string) {
	e.t.Helper()
	state, err := e.Current(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	live, _ := state.Document(statetest.FlagID(key))
	gone := decide.Archive{ID: statetest.FlagID(key), If: decide.Precondition{Match: decide.Token(state, live)}}
	if _, err := e.Do(e.t.Context(), owner(), gone); err != nil {
		e.t.Fatal(err)
	}
}

// policy sets what holds.
func (e *old) policy(patch string) {
	e.t.Helper()
	if _, err := e.HandleRequest(e.t.Context(), owner(), decide.PatchLifecycle{Merge: []byte(patch)}); err != nil {
		e.t.Fatal(err)
	}
}

// feed returns what the ledger tells: of requests and of the lives of flags.
func (e *old) feed() []string {
	e.t.Helper()
	var all []string
	for event, err := range e.Events(e.t.Context(), 1) {
		if err != nil {
			e.t.Fatal(err)
		}
		line := string(event.Type)
		for _, f := range event.Flags {
			line += fmt.Sprintf(" %s(%s)", f.Key, f.Owner)
		}
		if event.Proposal != nil {
			line += " " + event.Proposal.Changes[0].Key
		}
		all = append(all, line)
	}
	return all
}

// awaitFeed waits until the feed has exactly these lines, and that every publisher has looked since.
func (e *old) awaitFeed(want ...string) {
	e.t.Helper()
	e.awaitLooks()
	if diff := cmp.Diff(want, e.feed()); diff != "" {
		e.t.Fatalf("the feed (-want +got):\n%s", diff)
	}
}

// awaitLooks waits until every publisher has looked at what there is now, and found nothing left to do.
func (e *old) awaitLooks() {
	e.t.Helper()
	waiting.Until(e.t, "publishers that have looked", func() bool {
		revision, end := e.end()
		for _, s := range e.all {
			if at, r, sequence := s.LookedAtLives(); !at.Equal(e.clock.Now()) || r != revision || sequence != end {
				return false
			}
		}
		after, endAfter := e.end()
		return after == revision && endAfter == end
	})
}

// end returns how far the log and the ledger go.
func (e *old) end() (revision, sequence uint64) {
	e.t.Helper()
	state, err := e.Current(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	if sequence, err = e.LedgerEnd(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
	return state.Position().Revision, sequence
}

// request returns the newest change request of a flag.
func (e *old) request(key string) requests.Request {
	e.t.Helper()
	all, err := e.Requests(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(r requests.Request) bool { return r.Proposal.Changes[0].Key != key })
	if len(all) == 0 {
		e.t.Fatalf("no change request of %s", key)
	}
	return all[len(all)-1]
}

func (e *old) flag(key string) string {
	e.t.Helper()
	state, err := e.Current(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	d, _ := state.Document(statetest.FlagID(key))
	return string(d.Body)
}

// A flag goes through every stage of its life, and each step is told once, whichever of two publishers sees it first; a third one that starts later
// tells nothing again.
func TestEveryStageIsToldOnce(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", everything)
	e.put("ab", "experiment", "2026-06-30", "")
	e.write("banner", statetest.FlagBody("on", `,"owner":"team-banner"`))
	e.write("switch", statetest.FlagBody("on", `,"kind":"ops"`))
	e.awaitFeed()
	e.clock.set("2026-04-02") // 91 days
	want := []string{"lifecycle.stale banner(team-banner)"}
	e.awaitFeed(want...)
	e.clock.set("2026-06-17")
	want = append(want, "lifecycle.expiring ab(team-ab)")
	e.awaitFeed(want...)
	e.clock.set("2026-07-01")
	want = append(want, "lifecycle.expired ab(team-ab)")
	e.awaitFeed(want...)
	e.join(newReplica(t, e.url))
	e.put("ab", "experiment", "2026-12-31", "") // more time
	want = append(want, "lifecycle.active ab(team-ab)")
	e.awaitFeed(want...)
	e.clock.set("2027-01-01")
	want = append(want, "lifecycle.expired ab(team-ab)") // nothing looked while it was expiring
	e.awaitFeed(want...)
	e.remove("ab")
	want = append(want, "lifecycle.archived ab()")
	e.awaitFeed(want...)
	counts := map[lifecycle.Stage]int{lifecycle.Active: 1, lifecycle.Stale: 1, lifecycle.Expiring: 0, lifecycle.Expired: 0}
	for _, s := range e.all {
		if diff := cmp.Diff(counts, s.Lives().Counts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

const freezeExperiments = `{"onExpiry":{"experiment":{"action":"freeze"},"permission":{"action":"freeze","freezeTo":"on"}}}`

// Where no second person has to agree, an expired flag is frozen at once, by one publisher of two. Nothing is done to other kinds, least of all to
// kill switches, and nothing to flags that give everyone the same already.
func TestFreezingAtOnce(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", everything)
	for _, kind := range []string{"experiment", "permission", "release", "ops"} {
		e.put(kind, kind, "2026-06-30", "")
	}
	e.write("flat", statetest.FlagBody("on", `,"kind":"experiment","expires":"2026-06-30"`))
	e.policy(freezeExperiments)
	before := map[string]string{"release": e.flag("release"), "ops": e.flag("ops"), "flat": e.flag("flat")}
	e.clock.set("2026-07-01")
	e.awaitLooks()
	for key, want := range before {
		if got := e.flag(key); got != want {
			t.Errorf("%s became %s", key, got)
		}
	}
	want := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","kind":"experiment","expires":"2026-06-30","owner":"team-experiment"}`
	if got := e.flag("experiment"); got != want {
		t.Errorf("it is frozen as %s, want %s", got, want)
	}
	if got := e.flag("permission"); !strings.Contains(got, `"defaultVariant":"on"`) || strings.Contains(got, "targeting") {
		t.Errorf("the permission is frozen as %s", got)
	}
	changes := 0
	for entry, err := range e.History(t.Context(), statetest.FlagID("experiment")) {
		if err != nil {
			t.Fatal(err)
		}
		if changes++; changes == 2 && (entry.Actor != "lifecycle" || !strings.Contains(entry.Reason, "owner team-experiment") || !strings.Contains(entry.Reason, "2026-07-01")) {
			t.Errorf("by %s: %s", entry.Actor, entry.Reason)
		}
	}
	if changes != 2 {
		t.Errorf("%d changes of the experiment, want 2", changes)
	}
}

// What a followed source owns is neither frozen nor proposed for removal, because the source would undo it: it is told once that it has expired, and
// why nothing is done.
func TestNothingIsDoneToWhatASourceOwns(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", everything)
	e.put("ab", "experiment", "2026-06-30", `,"$source":"publisher:/flags"`)
	e.put("old", "release", "2026-06-30", `,"$source":"publisher:kubernetes:shop/old"`)
	e.policy(`{"onExpiry":{"experiment":{"action":"freeze"},"release":{"action":"propose-removal"}}}`)
	before := [2]string{e.flag("ab"), e.flag("old")}
	for _, day := range []string{"2026-07-01", "2026-07-02"} {
		e.clock.set(day)
		e.awaitFeed("settings.lifecycle", "lifecycle.expired ab(team-ab) old(team-old)")
	}
	if after := [2]string{e.flag("ab"), e.flag("old")}; after != before || e.acts.failed.Load() != 0 {
		t.Errorf("%d failed, and the flags became %s", e.acts.failed.Load(), after)
	}
	lives, _, err := e.LivesOf(t.Context(), nil, nil)
	if err != nil || len(lives) != 2 {
		t.Fatalf("%+v, %v", lives, err)
	}
	for i, place := range []string{"the files in /flags", "the FeatureFlag object shop/old"} {
		if got := lives[i].Intent.Blocked; !strings.Contains(got, place+": change it there") {
			t.Errorf("%s: %s", lives[i].Flag.Key(), got)
		}
	}
}

// Where a second person has to agree, one change request is opened. A rejection is remembered until the flag changes; what is no longer wanted is
// withdrawn, what others overtook is rebased, and what is approved is applied.
func TestFreezingWithApproval(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", policy)
	e.put("ab", "experiment", "2026-06-30", "")
	e.policy(freezeExperiments)
	e.clock.set("2026-07-01")
	want := []string{"settings.lifecycle", "lifecycle.expired ab(team-ab)", "request.opened ab"}
	e.awaitFeed(want...)

	first := e.request("ab")
	if _, err := e.HandleRequest(t.Context(), person("one"), decide.Reject{Request: first.ID}); err != nil {
		t.Fatal(err)
	}
	e.clock.set("2026-08-01")
	want = append(want, "request.rejected")
	e.awaitFeed(want...)

	e.put("ab", "experiment", "2026-06-30", `,"description":"changed"`)
	want = append(want, "request.opened ab")
	e.awaitFeed(want...)
	second := e.request("ab")

	e.put("ab", "experiment", "2026-06-30", `,"description":"changed again"`)
	want = append(want, "request.rebased ab")
	e.awaitFeed(want...)

	e.put("ab", "experiment", "2026-12-31", "")
	e.awaitLooks()
	feed := e.feed()
	if rest := feed[len(want):]; len(rest) != 2 || !slices.Contains(rest, "request.withdrawn") || !slices.Contains(rest, "lifecycle.active ab(team-ab)") {
		t.Fatalf("with more time: %v", rest)
	}
	if r := e.request("ab"); r.ID != second.ID || r.Status != requests.Withdrawn {
		t.Errorf("%s is %s", r.ID, r.Status)
	}

	e.clock.set("2027-01-01")
	e.awaitLooks()
	third := e.request("ab")
	e.approve(third)
	e.awaitLooks()
	if r := e.request("ab"); r.ID != third.ID || r.Status != requests.Applied || strings.Contains(e.flag("ab"), "targeting") {
		t.Errorf("after two approvals it is %s: %s", r.Status, e.flag("ab"))
	}
	if n := e.entries(third.ID); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// What a flag's kind, the policy or its end make unwanted is withdrawn, and asked for again when it is wanted again: also of a flag that has come back.
func TestWhatIsUnwantedIsWithdrawn(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", policy)
	e.put("ab", "experiment", "2026-06-30", "")
	e.policy(freezeExperiments)
	e.clock.set("2026-07-01")
	e.awaitFeed("settings.lifecycle", "lifecycle.expired ab(team-ab)", "request.opened ab")
	for i, step := range []struct {
		do   func()
		want []string // more in the feed, sorted: a look acts on a newer state than it tells
	}{
		{func() { e.put("ab", "ops", "2026-06-30", "") }, []string{"request.withdrawn"}},
		{func() { e.put("ab", "experiment", "2026-06-30", "") }, []string{"request.opened ab"}},
		{func() { e.policy(`{"onExpiry":null}`) }, []string{"request.withdrawn", "settings.lifecycle"}},
		{func() { e.policy(freezeExperiments) }, []string{"request.opened ab", "settings.lifecycle"}},
		{func() { e.remove("ab") }, []string{"lifecycle.archived ab()", "request.withdrawn"}},
		{func() { e.put("ab", "experiment", "2026-06-30", "") }, []string{"lifecycle.expired ab(team-ab)", "request.opened ab"}},
	} {
		before := len(e.feed())
		step.do()
		e.awaitLooks()
		if diff := cmp.Diff(step.want, slices.Sorted(slices.Values(e.feed()[before:]))); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// Removal is always proposed, never done: also where no second person has to agree. A flag that others need is left alone.
func TestProposingRemoval(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", everything)
	e.put("ab", "experiment", "2026-06-30", "")
	e.put("needed", "experiment", "2026-06-30", "")
	e.write("needs", statetest.FlagBody("on", statetest.Requires("needed")))
	e.policy(`{"onExpiry":{"experiment":{"action":"propose-removal"}}}`)
	e.clock.set("2026-07-01")
	e.awaitFeed("settings.lifecycle", "lifecycle.expired ab(team-ab) needed(team-needed)", "request.opened ab")
	r := e.request("ab")
	if r.Proposal.Changes[0].Body != nil || r.Status != requests.Open {
		t.Errorf("it is %s and does not remove", r.Status)
	}
	all, _, err := e.LivesOf(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, life := range all {
		if life.Flag.Key() == "needed" && !strings.Contains(life.Intent.Blocked, "needs") {
			t.Errorf("what others need: %+v", life.Intent)
		}
	}
	if _, err := e.Apply(t.Context(), person("one"), r.ID); err != nil {
		t.Fatal(err)
	}
	e.awaitLooks()
	if e.flag("ab") != "" {
		t.Error("it is still there")
	}
}

// What policies forbid is tried again after longer and longer pauses, is a condition, and leaves no more than a few records.
func TestForbiddenFreeze(t *testing.T) {
	t.Parallel()
	e := growOld(t, "2026-01-01", func(q access.Question) access.Answer {
		return access.Answer{Permitted: q.Principal.ID != requests.LifecycleActor}
	})
	e.put("ab", "experiment", "2026-06-30", "")
	e.policy(freezeExperiments)
	e.clock.set("2026-07-01")
	waiting.Until(t, "a failure", func() bool { return e.acts.failed.Load() == 2 }) // of each publisher
	e.awaitLooks()
	if failing := e.Lives().Failures; failing != nil {
		t.Errorf("at once: %v", failing)
	}
	e.clock.set("2026-07-02")
	waiting.Until(t, "a condition", func() bool { return len(e.Lives().Failures) == 1 })
	e.awaitLooks()
	if failing := e.Lives().Failures; len(failing) != 1 || !strings.Contains(failing[0], "flag ab") {
		t.Errorf("%v", failing)
	}
	refused := 0
	for _, line := range e.feed() {
		if line == string(requests.EventRefused) {
			refused++
		}
	}
	if refused != 4 || !strings.Contains(e.flag("ab"), "targeting") {
		t.Errorf("%d refusals are recorded: %s", refused, e.flag("ab"))
	}
}

// When many flags expire at once, few events tell it.
func TestManyExpireAtOnce(t *testing.T) {
	t.Parallel()
	const many = 1100
	e := growOld(t, "2026-01-01", everything)
	var documents []document.Document
	for i := range many {
		documents = append(documents, statetest.FlagDocument(fmt.Sprint("f", i), statetest.FlagBody("on", `,"expires":"2026-06-30"`)))
	}
	if _, err := e.Do(t.Context(), owner(), decide.Replace{Documents: documents}); err != nil {
		t.Fatal(err)
	}
	e.clock.set("2026-07-01")
	e.awaitLooks()
	told, events := 0, 0
	for event, err := range e.Events(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		events++
		told += len(event.Flags)
	}
	if told != many || events != 3 {
		t.Errorf("%d flags are told by %d events", told, events)
	}
}
