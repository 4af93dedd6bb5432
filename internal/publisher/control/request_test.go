package control_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
)

// desk is where people decide about requests, one after the other.
type desk struct {
	t          *testing.T
	state      *state
	governance *control.Governance
	authorize  func(access.Question) access.Answer
	gone       func(id string) bool
	standing   func(access.Principal) (access.Principal, error)
	line       func(principal string) []string
	now        time.Time

	ledgerBytes int
}

func newDesk(t *testing.T, authorize func(access.Question) access.Answer) *desk {
	t.Helper()
	return &desk{t: t, state: shop(t), governance: control.NewGovernance("staging"), authorize: authorize, now: time.Unix(1e9, 0).UTC()}
}

// do carries out a command of someone, and records it.
func (d *desk) do(origin control.Origin, c control.RequestCommand) error {
	d.t.Helper()
	w := control.World{
		Environment: "staging", State: d.state, Now: d.now, Authorize: d.authorize, Gone: d.gone, Origin: origin, LedgerBytes: d.ledgerBytes,
		Standing: d.standing, Line: d.line,
	}
	e, err := control.DecideRequest(d.governance, w, c)
	if err != nil {
		return err
	}
	data, err := e.Encode()
	if err != nil {
		d.t.Fatal(err)
	}
	if e, err = control.DecodeEvent(data); err != nil {
		d.t.Fatal(err)
	}
	return d.governance.Evolve(d.governance.Sequence()+1, e)
}

func (d *desk) must(origin control.Origin, c control.RequestCommand) control.Request {
	d.t.Helper()
	if err := d.do(origin, c); err != nil {
		d.t.Fatalf("%T of %s: %v", c, origin.Principal.ID, err)
	}
	r, _ := d.governance.Request("r")
	return r
}

// turnOff is a change of flag a as the shop has it.
func turnOff() control.Command { return control.Toggle{Flag: "a", If: seen(2)} }

func everything(access.Question) access.Answer { return access.Answer{Permitted: true} }

// member permits a person the actions that are listed.
func member(actions map[string][]access.Action) func(access.Question) access.Answer {
	return func(q access.Question) access.Answer {
		return access.Answer{Permitted: slices.Contains(actions[q.Principal.ID], q.Action)}
	}
}

// Anyone who makes a request anew to break the glass gives a reason, and that reason is the one of the request.
func TestReasonOfRebase(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	quiet := person("author")
	quiet.Reason = ""
	d.must(quiet, control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	loud := person("author")
	loud.Reason = "the shop is on fire"
	r := d.must(loud, control.Rebase{Request: "r", Proposing: control.Proposing{Command: turnOff(), BreakGlass: true}})
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
	d.must(person("proposes"), control.OpenRequest{ID: "other", Proposing: control.Proposing{Command: turnOff()}})
	anyway := control.Proposing{Command: turnOff(), BreakGlass: true}
	for who, action := range map[string]access.Action{"proposes": access.BreakGlass, "breaks": access.Apply} {
		err := d.do(person(who), control.OpenRequest{ID: "r", Proposing: anyway})
		if refusal, ok := errors.AsType[*control.Refusal](err); !ok || refusal.Cause != control.CauseForbidden || refusal.Action.Action != action {
			t.Errorf("%s opens it: %v, want a refusal of %s", who, err, action)
		}
	}
	if err := d.do(person("proposes"), control.Rebase{Request: "other", Proposing: anyway}); !isRefused(err, control.CauseForbidden) {
		t.Errorf("one is made such afterwards: %v", err)
	}
	if n := len(d.governance.Unfinished()); n != 1 {
		t.Errorf("%d requests are open, want the other one", n)
	}
	d.must(person("both"), control.OpenRequest{ID: "r", Proposing: anyway})
	d.must(person("both"), control.ClaimRequest{Request: "r"})
}

// What was done by breaking the glass is reviewed by neither its author nor anyone who has applied it.
func TestReviewBySomebodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.must(person("author"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff(), BreakGlass: true}})
	d.must(person("accomplice"), control.ClaimRequest{Request: "r"})
	at := d.state.Position()
	if err := d.governance.Evolve(9, control.Event{Type: control.EventApplied, Request: "r", Position: &at}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"author", "accomplice"} {
		if err := d.do(person(who), control.Review{Request: "r"}); !isRefused(err, control.CauseForbidden) {
			t.Errorf("%s reviews it: %v", who, err)
		}
	}
	d.must(person("somebody else"), control.Review{Request: "r"})
}

// An approval is for everything that a proposal says: not for one that breaks the glass, or may be late, or waits longer.
func TestApprovalIsForTheWholeProposal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	later := d.now.Add(time.Hour)
	first := control.Proposing{Command: turnOff(), ApplyAt: later, Late: time.Minute, Expires: later.Add(time.Hour)}
	r := d.must(person("author"), control.OpenRequest{ID: "r", Proposing: first})
	hashes := []string{r.Hash}
	for name, change := range map[string]func(*control.Proposing){
		"late":        func(p *control.Proposing) { p.Late = time.Hour },
		"expires":     func(p *control.Proposing) { p.Expires = later.Add(2 * time.Hour) },
		"time":        func(p *control.Proposing) { p.ApplyAt = later.Add(time.Minute) },
		"break-glass": func(p *control.Proposing) { p.ApplyAt, p.Late, p.BreakGlass = time.Time{}, 0, true },
		"at once":     func(p *control.Proposing) { p.ApplyAt, p.Late = time.Time{}, 0 },
	} {
		next := first
		change(&next)
		r = d.must(person("author"), control.Rebase{Request: "r", Proposing: next})
		if slices.Contains(hashes, r.Hash) {
			t.Errorf("%s: the hash is that of another proposal", name)
		}
		hashes = append(hashes, r.Hash)
	}
}

// To apply one's own request that no one has approved is to change at once, and to apply deletions is to archive: each has to be permitted.
func TestApplyingIsNoWayAroundPermissions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, member(map[string][]access.Action{
		"approver": {access.Propose, access.Approve, access.Apply},
		"editor":   {access.Propose, access.Apply, access.Change},
		"admin":    {access.Propose, access.Apply, access.Change, access.Archive},
	}))
	d.must(person("approver"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	if err := d.do(person("approver"), control.ClaimRequest{Request: "r"}); !isRefused(err, control.CauseForbidden) {
		t.Errorf("who may not change applies what no one has approved: %v", err)
	}
	d.must(person("editor"), control.ClaimRequest{Request: "r"})
	remove := control.Delete{ID: flagID("c"), If: seen(4)}
	live, _ := d.state.Document(flagID("c"))
	remove.If = seen(live.Revision)
	if err := d.do(person("editor"), control.OpenRequest{ID: "remove", Proposing: control.Proposing{Command: remove}}); err != nil {
		t.Fatal(err)
	}
	if err := d.do(person("editor"), control.ClaimRequest{Request: "remove"}); !isRefused(err, control.CauseForbidden) {
		t.Errorf("who may not archive applies a deletion: %v", err)
	}
	if err := d.do(person("admin"), control.ClaimRequest{Request: "remove"}); err != nil {
		t.Errorf("who may archive applies a deletion: %v", err)
	}
}

// A person who was erased is someone else when they are here again: they approve neither what was theirs nor the same request twice, and do
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
	r := d.must(person("author"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	r = d.must(person("approver"), control.Approve{Request: "r", Hash: r.Hash})
	d.gone = func(id string) bool { return id == "approver" }
	r = d.must(person("again"), control.Approve{Request: "r", Hash: r.Hash})
	if err := d.do(person("author"), control.ClaimRequest{Request: "r"}); !isRefused(err, control.CauseApprovalRequired) {
		t.Errorf("applied with two approvals of one person: %v", err)
	}
	if r = d.must(person("third"), control.Approve{Request: "r", Hash: r.Hash}); len(r.Approvals) != 3 {
		t.Errorf("%d approvals", len(r.Approvals))
	}
	d.gone = func(id string) bool { return id == "author" }
	if err := d.do(person("fourth"), control.Approve{Request: "r", Hash: r.Hash}); !isRefused(err, control.CauseNotOpen) {
		t.Errorf("a request of a person who is gone was approved: %v", err)
	}
	d.gone = func(id string) bool { return id == "approver" }
	d.must(person("author"), control.ClaimRequest{Request: "r"})

	d = newDesk(t, member(map[string][]access.Action{"author": {access.Propose}, "again": {access.Apply}}))
	d.must(person("author"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	d.gone = func(id string) bool { return id == "author" }
	if err := d.do(person("again"), control.ClaimRequest{Request: "r"}); !isRefused(err, control.CauseForbidden) {
		t.Errorf("a request of a person who is gone was applied without the permission to change: %v", err)
	}
	d.gone = nil
	d.must(person("again"), control.ClaimRequest{Request: "r"})
}

// No one moves a flag to where they may not change it, or takes it from there.
func TestMovingAFlagNeedsBothPlaces(t *testing.T) {
	t.Parallel()
	web := func(q access.Question) access.Answer { return access.Answer{Permitted: q.Resource.FlagSet == "web"} }
	inSet := func(set string) []byte { return flagBody("on", fmt.Sprintf(`,"metadata":{"flagSetId":%q}`, set)) }
	d := newDesk(t, web)
	d.state.put(t, flagDocument("ours", inSet("web")), flagDocument("theirs", inSet("pay")))
	for key, want := range map[string]control.Cause{"ours": control.CauseForbidden, "theirs": control.CauseForbidden} {
		live, _ := d.state.Document(flagID(key))
		set := map[string]string{"ours": "pay", "theirs": "web"}[key]
		move := control.OpenRequest{ID: "r" + key, Proposing: control.Proposing{
			Command: control.Put{ID: flagID(key), Body: inSet(set), If: seen(live.Revision)},
		}}
		if err := d.do(person("web developer"), move); !isRefused(err, want) {
			t.Errorf("%s to %s: %v", key, set, err)
		}
	}
	live, _ := d.state.Document(flagID("ours"))
	stay := control.Toggle{Flag: "ours", If: seen(live.Revision)}
	if err := d.do(person("web developer"), control.OpenRequest{ID: "stay", Proposing: control.Proposing{Command: stay}}); err != nil {
		t.Errorf("a flag that stays: %v", err)
	}
}

// What is refused because of who asks is recorded, also when no policy was asked.
func TestRefusalsNameTheAction(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	r := d.must(person("author"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	err := d.do(person("author"), control.Approve{Request: "r", Hash: r.Hash})
	refusal, ok := errors.AsType[*control.Refusal](err)
	if !ok || refusal.Cause != control.CauseForbidden || refusal.Action == nil || refusal.Action.Action != access.Approve || refusal.Action.Key != "a" {
		t.Errorf("approving one's own request: %+v", refusal)
	}
}

// A request has a bounded number of comments.
func TestCommentsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.must(person("author"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	for n := range control.MaxComments {
		if err := d.do(person("author"), control.Comment{Request: "r", Text: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.do(person("author"), control.Comment{Request: "r", Text: "one more"}); !isRefused(err, control.CauseTooLarge) {
		t.Errorf("one more: %v", err)
	}
	ended := d.must(person("author"), control.Withdraw{Request: "r"})
	if len(ended.Comments) != 0 || len(ended.Commented) != control.MaxComments {
		t.Errorf("a request that has ended keeps %d comments, and counts %d", len(ended.Comments), len(ended.Commented))
	}
	if err := d.do(person("author"), control.Comment{Request: "r", Text: "one more"}); !isRefused(err, control.CauseTooLarge) {
		t.Errorf("one more once it has ended: %v", err)
	}
}

// What one author may write in a day is bounded, for each author by itself. The next day begins anew, and ending a request is free.
func TestWhatAnAuthorMayWriteADay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.ledgerBytes = 20_000
	d.must(person("author"), control.OpenRequest{ID: "r", Proposing: control.Proposing{Command: turnOff()}})
	text := strings.Repeat("x", 4000)
	said := 0
	for ; said < 100; said++ {
		if err := d.do(person("author"), control.Comment{Request: "r", Text: text}); err != nil {
			if !isRefused(err, control.CauseTooMany) {
				t.Fatal(err)
			}
			break
		}
	}
	if said < 3 || said > 4 {
		t.Errorf("%d comments of 4000 bytes are permitted in 20000 bytes", said)
	}
	if err := d.do(person("other"), control.Comment{Request: "r", Text: text}); err != nil {
		t.Errorf("another author: %v", err)
	}
	d.now = d.now.Add(24 * time.Hour)
	if err := d.do(person("author"), control.Comment{Request: "r", Text: text}); err != nil {
		t.Errorf("a day later: %v", err)
	}
	d.ledgerBytes = 1
	d.must(person("author"), control.Withdraw{Request: "r"})
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
		p := control.Proposing{Command: turnOff()}
		if c.applyAt != 0 {
			p.ApplyAt = d.now.Add(c.applyAt)
		}
		if c.expires > 0 {
			p.Expires = d.now.Add(c.expires)
		}
		err := d.do(person("author"), control.OpenRequest{ID: name, Proposing: p})
		if isRefused(err, control.CauseMalformed) != c.refused || !c.refused && err != nil {
			t.Errorf("a request that %s: %v", name, err)
		}
		if r, ok := d.governance.Request(name); ok && r.Proposal.Expires.After(d.now.Add(90*day)) {
			t.Errorf("a request that %s waits until %s", name, r.Proposal.Expires)
		}
	}
}

// Everything that a change puts at stake fits into a fact of the ledger, however much depends on it.
func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	s := shop(t)
	key := strings.Repeat("k", 200)
	var changes []document.Document
	for i := range 900 {
		changes = append(changes, doc(fmt.Sprint(key, i), flagBody("on", `,"tags":["payments","security"]`)))
	}
	risk := control.Assess(s, changes, control.DefaultRiskSettings("prod"), nil, time.Time{})
	if n := len(risk.Reasons); n > 50 || !risk.High {
		t.Errorf("%d reasons, high %v", n, risk.High)
	}
	if last := risk.Reasons[len(risk.Reasons)-1]; last.Code != control.RiskTag || !strings.Contains(last.Sentence, "1780") {
		t.Errorf("the last reason is %+v", last)
	}
}

// Settings give a flag set to every flag that names none: anyone who may change settings and one set moves no other flags into it.
func TestSettingsMoveNoFlagsUnasked(t *testing.T) {
	t.Parallel()
	authorize := func(q access.Question) access.Answer {
		return access.Answer{Permitted: q.Resource.Kind == "settings" || q.Resource.FlagSet == "mine"}
	}
	d := newDesk(t, authorize)
	move := control.Put{ID: settingsID(), Body: []byte(`{"metadata":{"flagSetId":"mine"}}`), If: control.Precondition{Absent: true}}
	open := control.OpenRequest{ID: "move", Proposing: control.Proposing{Command: move}}
	if err := d.do(person("author"), open); !isRefused(err, control.CauseForbidden) {
		t.Errorf("settings that move flags: %v", err)
	}
	move.Body = []byte(`{"metadata":{"team":"mine"}}`)
	open = control.OpenRequest{ID: "stay", Proposing: control.Proposing{Command: move}}
	if err := d.do(person("author"), open); err != nil {
		t.Errorf("settings that move none: %v", err)
	}
}
