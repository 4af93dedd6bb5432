package decide_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

// desk is where people decide about requests, one after the other.
type desk struct {
	t          *testing.T
	state      *statetest.State
	governance *requests.Governance
	authorize  func(access.Question) access.Answer
	gone       func(id string) bool
	valid      func(access.Principal) (access.Principal, error)
	line       func(principal string) []string
	now        time.Time

	ledgerBytes int
}

func newDesk(t *testing.T, authorize func(access.Question) access.Answer) *desk {
	t.Helper()
	return &desk{t: t, state: statetest.Shop(t), governance: requests.NewGovernance("staging"), authorize: authorize, now: time.Unix(1e9, 0).UTC()}
}

// do carries out a command, and records it.
func (d *desk) do(origin decide.Origin, c decide.RequestCommand) error {
	d.t.Helper()
	w := decide.DecisionInput{
		Environment: "staging", State: d.state, Now: d.now, Origin: origin, LedgerBytes: d.ledgerBytes,
		Principals: fakePrincipals{authorize: d.authorize, gone: d.gone, valid: d.valid, line: d.line},
	}
	e, _, err := decide.Request(d.governance, w, c)
	if err != nil {
		return err
	}
	data, err := e.Encode()
	if err != nil {
		d.t.Fatal(err)
	}
	if e, err = requests.DecodeEvent(data); err != nil {
		d.t.Fatal(err)
	}
	return d.governance.Evolve(d.governance.Sequence()+1, e)
}

func (d *desk) must(origin decide.Origin, c decide.RequestCommand) requests.Request {
	d.t.Helper()
	if err := d.do(origin, c); err != nil {
		d.t.Fatalf("%T of %s: %v", c, origin.Principal.ID, err)
	}
	r, _ := d.governance.Request("r")
	return r
}

// turnOff is a change of flag a as the shop has it.
func turnOff() decide.Command { return decide.Toggle{Flag: "a", If: seen(2)} }

func everything(access.Question) access.Answer { return access.Answer{Permitted: true} }

// member permits a person the actions that are listed.
func member(actions map[string][]access.Action) func(access.Question) access.Answer {
	return func(q access.Question) access.Answer {
		return access.Answer{Permitted: slices.Contains(actions[q.Principal.ID], q.Action)}
	}
}

// An author who rebases a request to break the glass gives a reason, and that reason is the one of the request.
func TestReasonOfRebase(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	quiet := person("author")
	quiet.Reason = ""
	d.must(quiet, decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	loud := person("author")
	loud.Reason = "the shop is on fire"
	r := d.must(loud, decide.Rebase{Request: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff(), BreakGlass: true}})
	if r.Reason != loud.Reason {
		t.Errorf("the reason is %q, want %q", r.Reason, loud.Reason)
	}
}

// A change request that is to break the glass is opened only by a person who may do that, and may do at once what it changes.
func TestARefusedBreakGlassLeavesNoRequest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, member(map[string][]access.Action{
		"proposes": {access.Read, access.Propose, access.Change, access.Apply},
		"breaks":   {access.Read, access.Propose, access.BreakGlass},
		"both":     {access.Read, access.Propose, access.Change, access.Apply, access.BreakGlass},
	}))
	d.must(person("proposes"), decide.OpenRequest{ID: "other", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	anyway := decide.ProposalSpec{Command: turnOff(), BreakGlass: true}
	for who, action := range map[string]access.Action{"proposes": access.BreakGlass, "breaks": access.Apply} {
		err := d.do(person(who), decide.OpenRequest{ID: "r", ProposalSpec: anyway})
		if refusal, ok := errors.AsType[*decide.Refusal](err); !ok || refusal.Cause != decide.CauseForbidden || refusal.Action.Action != action {
			t.Errorf("%s opens it: %v, want a refusal of %s", who, err, action)
		}
	}
	if err := d.do(person("proposes"), decide.Rebase{Request: "other", ProposalSpec: anyway}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("one is made such afterwards: %v", err)
	}
	if n := len(d.governance.Unfinished()); n != 1 {
		t.Errorf("%d requests are open, want the other one", n)
	}
	d.must(person("both"), decide.OpenRequest{ID: "r", ProposalSpec: anyway})
	d.must(person("both"), decide.ClaimRequest{Request: "r"})
}

// What was done by breaking the glass is reviewed by neither its author nor the person who applied it.
func TestReviewByAnotherPerson(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff(), BreakGlass: true}})
	d.must(person("accomplice"), decide.ClaimRequest{Request: "r"})
	at := d.state.Position()
	if err := d.governance.Evolve(9, requests.Event{Type: requests.EventApplied, Request: "r", Position: &at}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"author", "accomplice"} {
		if err := d.do(person(who), decide.Review{Request: "r"}); !isRefused(err, decide.CauseForbidden) {
			t.Errorf("%s reviews it: %v", who, err)
		}
	}
	d.must(person("another"), decide.Review{Request: "r"})
}

// An approval is for everything that a proposal says: not for one that breaks the glass, or may be late, or waits longer.
func TestApprovalIsForTheWholeProposal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	later := d.now.Add(time.Hour)
	first := decide.ProposalSpec{Command: turnOff(), ApplyAt: later, MaxDelay: time.Minute, Expires: later.Add(time.Hour)}
	r := d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: first})
	hashes := []string{r.Hash}
	for name, change := range map[string]func(*decide.ProposalSpec){
		"late":        func(p *decide.ProposalSpec) { p.MaxDelay = time.Hour },
		"expires":     func(p *decide.ProposalSpec) { p.Expires = later.Add(2 * time.Hour) },
		"time":        func(p *decide.ProposalSpec) { p.ApplyAt = later.Add(time.Minute) },
		"break-glass": func(p *decide.ProposalSpec) { p.ApplyAt, p.MaxDelay, p.BreakGlass = time.Time{}, 0, true },
		"at once":     func(p *decide.ProposalSpec) { p.ApplyAt, p.MaxDelay = time.Time{}, 0 },
	} {
		next := first
		change(&next)
		r = d.must(person("author"), decide.Rebase{Request: "r", ProposalSpec: next})
		if slices.Contains(hashes, r.Hash) {
			t.Errorf("%s: the hash is that of another proposal", name)
		}
		hashes = append(hashes, r.Hash)
	}
}

// To apply one's own request without approvals is to change at once, and to apply deletions is to archive: each has to be permitted.
func TestApplyingIsNoWayAroundPermissions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, member(map[string][]access.Action{
		"approver": {access.Propose, access.Approve, access.Apply},
		"editor":   {access.Propose, access.Apply, access.Change},
		"admin":    {access.Propose, access.Apply, access.Change, access.Archive},
	}))
	d.must(person("approver"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	if err := d.do(person("approver"), decide.ClaimRequest{Request: "r"}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("who may not change applies what has no approvals: %v", err)
	}
	d.must(person("editor"), decide.ClaimRequest{Request: "r"})
	remove := decide.Delete{ID: statetest.FlagID("c"), If: seen(4)}
	live, _ := d.state.Document(statetest.FlagID("c"))
	remove.If = seen(live.Revision)
	if err := d.do(person("editor"), decide.OpenRequest{ID: "remove", ProposalSpec: decide.ProposalSpec{Command: remove}}); err != nil {
		t.Fatal(err)
	}
	if err := d.do(person("editor"), decide.ClaimRequest{Request: "remove"}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("who may not archive applies a deletion: %v", err)
	}
	if err := d.do(person("admin"), decide.ClaimRequest{Request: "remove"}); err != nil {
		t.Errorf("who may archive applies a deletion: %v", err)
	}
}

// A person who was erased is another one when they are here again: they approve neither what was theirs nor the same request twice, and do
// not apply what was theirs as if it were another's.
func TestPersonsWhoAreGone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(q access.Question) access.Answer {
		needed := 0
		if q.Action == access.Apply {
			needed = 2
		}
		return access.Answer{Permitted: q.Circumstances.Approvals >= needed && (q.Action != access.Change || q.Principal.ID != "again"), Approvals: needed}
	})
	r := d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	r = d.must(person("approver"), decide.Approve{Request: "r", Hash: r.Hash})
	d.gone = func(id string) bool { return id == "approver" }
	r = d.must(person("again"), decide.Approve{Request: "r", Hash: r.Hash})
	if err := d.do(person("author"), decide.ClaimRequest{Request: "r"}); !isRefused(err, decide.CauseApprovalRequired) {
		t.Errorf("applied with two approvals of one person: %v", err)
	}
	if r = d.must(person("third"), decide.Approve{Request: "r", Hash: r.Hash}); len(r.Approvals) != 3 {
		t.Errorf("%d approvals", len(r.Approvals))
	}
	d.gone = func(id string) bool { return id == "author" }
	if err := d.do(person("fourth"), decide.Approve{Request: "r", Hash: r.Hash}); !isRefused(err, decide.CauseNotOpen) {
		t.Errorf("a request of a person who is gone was approved: %v", err)
	}
	d.gone = func(id string) bool { return id == "approver" }
	d.must(person("author"), decide.ClaimRequest{Request: "r"})

	d = newDesk(t, member(map[string][]access.Action{"author": {access.Propose}, "again": {access.Apply}}))
	d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	d.gone = func(id string) bool { return id == "author" }
	if err := d.do(person("again"), decide.ClaimRequest{Request: "r"}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("a request of a person who is gone was applied without the permission to change: %v", err)
	}
	d.gone = nil
	d.must(person("again"), decide.ClaimRequest{Request: "r"})
}

// No person moves a flag to where they may not change it, or takes it from there.
func TestMovingAFlagNeedsBothPlaces(t *testing.T) {
	t.Parallel()
	web := func(q access.Question) access.Answer { return access.Answer{Permitted: q.Resource.FlagSet == "web"} }
	inSet := func(set string) []byte {
		return statetest.FlagBody("on", fmt.Sprintf(`,"metadata":{"flagSetId":%q}`, set))
	}
	d := newDesk(t, web)
	d.state.Put(t, statetest.FlagDocument("ours", inSet("web")), statetest.FlagDocument("theirs", inSet("pay")))
	for key, want := range map[string]decide.Cause{"ours": decide.CauseForbidden, "theirs": decide.CauseForbidden} {
		live, _ := d.state.Document(statetest.FlagID(key))
		set := map[string]string{"ours": "pay", "theirs": "web"}[key]
		move := decide.OpenRequest{ID: "r" + key, ProposalSpec: decide.ProposalSpec{
			Command: decide.Put{ID: statetest.FlagID(key), Body: inSet(set), If: seen(live.Revision)},
		}}
		if err := d.do(person("web developer"), move); !isRefused(err, want) {
			t.Errorf("%s to %s: %v", key, set, err)
		}
	}
	live, _ := d.state.Document(statetest.FlagID("ours"))
	stay := decide.Toggle{Flag: "ours", If: seen(live.Revision)}
	if err := d.do(person("web developer"), decide.OpenRequest{ID: "stay", ProposalSpec: decide.ProposalSpec{Command: stay}}); err != nil {
		t.Errorf("a flag that stays: %v", err)
	}
}

// What is refused because of who asks is recorded, also when no policy was asked.
func TestRefusalsNameTheAction(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	r := d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	err := d.do(person("author"), decide.Approve{Request: "r", Hash: r.Hash})
	refusal, ok := errors.AsType[*decide.Refusal](err)
	if !ok || refusal.Cause != decide.CauseForbidden || refusal.Action == nil || refusal.Action.Action != access.Approve || refusal.Action.Key != "a" {
		t.Errorf("approving one's own request: %+v", refusal)
	}
}

// A request has a bounded number of comments.
func TestCommentsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	for n := range decide.MaxComments {
		if err := d.do(person("author"), decide.Comment{Request: "r", Text: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.do(person("author"), decide.Comment{Request: "r", Text: "one more"}); !isRefused(err, decide.CauseTooLarge) {
		t.Errorf("one more: %v", err)
	}
	ended := d.must(person("author"), decide.Withdraw{Request: "r"})
	if len(ended.Comments) != 0 || len(ended.Commented) != decide.MaxComments {
		t.Errorf("a request that has ended keeps %d comments, and counts %d", len(ended.Comments), len(ended.Commented))
	}
	if err := d.do(person("author"), decide.Comment{Request: "r", Text: "one more"}); !isRefused(err, decide.CauseTooLarge) {
		t.Errorf("one more once it has ended: %v", err)
	}
}

// What one author may write in a day is bounded, for each author by itself. The next day begins at zero, and ending a request is free.
func TestWhatAnAuthorMayWriteADay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.ledgerBytes = 20_000
	d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	text := strings.Repeat("x", 4000)
	said := 0
	for ; said < 100; said++ {
		if err := d.do(person("author"), decide.Comment{Request: "r", Text: text}); err != nil {
			if !isRefused(err, decide.CauseTooMany) {
				t.Fatal(err)
			}
			break
		}
	}
	if said < 3 || said > 4 {
		t.Errorf("%d comments of 4000 bytes are permitted in 20000 bytes", said)
	}
	if err := d.do(person("other"), decide.Comment{Request: "r", Text: text}); err != nil {
		t.Errorf("another author: %v", err)
	}
	d.now = d.now.Add(24 * time.Hour)
	if err := d.do(person("author"), decide.Comment{Request: "r", Text: text}); err != nil {
		t.Errorf("a day later: %v", err)
	}
	d.ledgerBytes = 1
	d.must(person("author"), decide.Withdraw{Request: "r"})
}

// Nothing that was approved waits for ever, and what was to be applied in the past is a mistake.
func TestTimesOfRequests(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		applyAt, expires time.Duration
		refused          bool
	}{
		"expires in 90 days":    {0, 90 * day, false},
		"expires later":         {0, 90*day + time.Second, true},
		"is applied in 90 days": {90 * day, 0, false},
		"is applied after 91":   {91 * day, 0, true},
		"was applied yesterday": {-day, 0, true},
		"was applied just now":  {-time.Second, 0, false},
	} {
		p := decide.ProposalSpec{Command: turnOff()}
		if c.applyAt != 0 {
			p.ApplyAt = d.now.Add(c.applyAt)
		}
		if c.expires > 0 {
			p.Expires = d.now.Add(c.expires)
		}
		err := d.do(person("author"), decide.OpenRequest{ID: name, ProposalSpec: p})
		if isRefused(err, decide.CauseMalformed) != c.refused || !c.refused && err != nil {
			t.Errorf("a request that %s: %v", name, err)
		}
		if r, ok := d.governance.Request(name); ok && r.Proposal.Expires.After(d.now.Add(90*day)) {
			t.Errorf("a request that %s waits until %s", name, r.Proposal.Expires)
		}
	}
}

// Everything that a change puts at stake fits into an event of the ledger, however much depends on it.
func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	key := strings.Repeat("k", 200)
	var changes []document.Document
	for i := range 900 {
		changes = append(changes, doc(fmt.Sprint(key, i), statetest.FlagBody("on", `,"tags":["payments","security"]`)))
	}
	assessed := risk.Assess(change(s, changes...), risk.DefaultSettings("prod"), nil, time.Time{})
	if n := len(assessed.Reasons); n > 50 || !assessed.High {
		t.Errorf("%d reasons, high %v", n, assessed.High)
	}
	if last := assessed.Reasons[len(assessed.Reasons)-1]; last.Code != risk.CodeTag || !strings.Contains(last.Sentence, "1780") {
		t.Errorf("the last reason is %+v", last)
	}
}

// Settings give a flag set to every flag that names none: a person who may change settings and one set moves no other flags into it.
func TestSettingsMoveNoFlagsUnasked(t *testing.T) {
	t.Parallel()
	authorize := func(q access.Question) access.Answer {
		return access.Answer{Permitted: q.Resource.Kind == "settings" || q.Resource.FlagSet == "mine"}
	}
	d := newDesk(t, authorize)
	move := decide.Put{ID: statetest.SettingsID(), Body: []byte(`{"metadata":{"flagSetId":"mine"}}`), If: decide.Precondition{Absent: true}}
	open := decide.OpenRequest{ID: "move", ProposalSpec: decide.ProposalSpec{Command: move}}
	if err := d.do(person("author"), open); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("settings that move flags: %v", err)
	}
	move.Body = []byte(`{"metadata":{"team":"mine"}}`)
	open = decide.OpenRequest{ID: "stay", ProposalSpec: decide.ProposalSpec{Command: move}}
	if err := d.do(person("author"), open); err != nil {
		t.Errorf("settings that move none: %v", err)
	}
}
