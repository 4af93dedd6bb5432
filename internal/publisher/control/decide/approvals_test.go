package decide_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

// needsOne wants the approval of another one to apply, and lets those approve who may.
func needsOne(may map[string]bool) func(access.Question) access.Answer {
	return func(q access.Question) access.Answer {
		switch {
		case q.Action == access.Approve:
			return access.Answer{Permitted: may[q.Principal.ID]}
		case q.Action == access.Apply && q.Circumstances.Approvals < 1:
			return access.Answer{Approvals: 1}
		}
		return access.Answer{Permitted: true}
	}
}

// An approval counts while its principal stands and could still approve. If it does not, the refusal says whose, and why.
func TestApprovalsLapse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lapse func(d *desk, may map[string]bool)
		why   string
	}{
		"nothing happened": {func(*desk, map[string]bool) {}, ""},
		"the token was revoked": {func(d *desk, _ map[string]bool) {
			d.valid = func(p access.Principal) (access.Principal, error) {
				return p, fmt.Errorf("%w: %w", access.ErrRejected, errors.New("the API token was revoked"))
			}
		}, "that of approver, because the API token was revoked"},
		"the role was taken":   {func(_ *desk, may map[string]bool) { may["approver"] = false }, "that of approver, who may not approve it any more"},
		"the person is erased": {func(d *desk, _ map[string]bool) { d.gone = func(id string) bool { return id == "approver" } }, "that of approver, who was erased"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			may := map[string]bool{"approver": true}
			d := newDesk(t, needsOne(may))
			r := d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
			d.must(person("approver"), decide.Approve{Request: "r", Hash: r.Hash})
			c.lapse(d, may)
			err := d.do(person("author"), decide.ClaimRequest{Request: "r"})
			if c.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !isRefused(err, decide.CauseApprovalRequired) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("applied: %v, want one that says %q", err, c.why)
			}
		})
	}
}

// It is not known whether an approver stands: nothing is applied, and nothing is refused for good.
func TestApprovalsOfUnknownStanding(t *testing.T) {
	t.Parallel()
	d := newDesk(t, needsOne(map[string]bool{"approver": true}))
	r := d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	d.must(person("approver"), decide.Approve{Request: "r", Hash: r.Hash})
	d.valid = func(p access.Principal) (access.Principal, error) { return p, access.ErrUnavailable }
	err := d.do(person("author"), decide.ClaimRequest{Request: "r"})
	if _, refused := errors.AsType[*decide.Refusal](err); refused || !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("applied: %v", err)
	}
}

// A token that was made with that of the author approves nothing of the author's.
func TestOwnTokensApproveNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.line = func(principal string) []string {
		return map[string][]string{"second": {"author"}, "third": {"second", "author"}, "other": {"admin"}}[principal]
	}
	r := d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff()}})
	for _, own := range []string{"author", "second", "third"} {
		if err := d.do(person(own), decide.Approve{Request: "r", Hash: r.Hash}); !isRefused(err, decide.CauseForbidden) {
			t.Errorf("approved by %s: %v", own, err)
		}
	}
	d.must(person("other"), decide.Approve{Request: "r", Hash: r.Hash})
}

// What went without approvals is not reviewed by its author, by a token that was made with that of the author, or once the author was erased.
func TestOwnTokensReviewNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, everything)
	d.line = func(principal string) []string {
		return map[string][]string{"second": {"author"}, "third": {"second", "author"}}[principal]
	}
	d.must(person("author"), decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: turnOff(), BreakGlass: true}})
	d.must(person("author"), decide.ClaimRequest{Request: "r"})
	at := changelog.Position{Epoch: statetest.Epoch, Revision: 9, Digest: changelog.Sum(nil)}
	if err := d.governance.Evolve(d.governance.Sequence()+1, requests.Event{Type: requests.EventApplied, Request: "r", Position: &at}); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"author", "second", "third"} {
		if err := d.do(person(own), decide.Review{Request: "r"}); !isRefused(err, decide.CauseForbidden) {
			t.Errorf("reviewed by %s: %v", own, err)
		}
	}
	d.gone = func(id string) bool { return id == "author" }
	if err := d.do(person("other"), decide.Review{Request: "r"}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("reviewed after its author was erased: %v", err)
	}
	d.gone = nil
	if r := d.must(person("other"), decide.Review{Request: "r"}); r.ReviewOpen() {
		t.Errorf("%+v is not reviewed", r)
	}
}
