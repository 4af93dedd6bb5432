package control_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

func TestRollBack(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	first := one.force("f", "first")
	one.force("g", "first")
	past := one.force("f", "second")
	one.force("f", "third")
	one.force("h", "new")
	f := func(id document.ID, to changelog.Token, want map[string]string) {
		t.Helper()
		transfer, err := one.RollBack(t.Context(), id, to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := one.Do(t.Context(), owner(), transfer); err != nil {
			t.Fatal(err)
		}
		state, err := one.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for d := range state.Documents() {
			_, text, _ := strings.Cut(string(d.Body), `"description":`)
			got[d.Key] = strings.Trim(text, `"}`)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f(statetest.FlagID("f"), first.Match, map[string]string{"f": "first", "g": "first", "h": "new"})
	f(document.ID{}, past.Match, map[string]string{"f": "second", "g": "first"})
	f(statetest.FlagID("g"), first.Match, map[string]string{"f": "second"})
	last, err := one.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []changelog.Token{{}, {Epoch: first.Match.Epoch, Revision: last.Position().Revision + 1}, {Epoch: "00000000", Revision: 1}} {
		if _, err := one.RollBack(t.Context(), statetest.FlagID("f"), to); !isRefused(err, decide.CauseNotKnown) {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// Breaking the glass goes without approvals, needs a reason, and is reviewed by another person.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	put := decide.ProposalSpec{Command: decide.Put{ID: statetest.FlagID("f"), Body: statetest.FlagBody("on", ""), If: absent()}, BreakGlass: true}
	silent := person("author")
	silent.Reason = ""
	if _, err := one.Open(t.Context(), silent, put); !isRefused(err, decide.CauseMalformed) {
		t.Errorf("without a reason: %v", err)
	}
	request, err := one.Open(t.Context(), person("author"), put)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := one.Apply(t.Context(), person("author"), request.ID)
	if err != nil || applied.Status != requests.Applied || !applied.ReviewOpen() {
		t.Fatalf("applied: %+v, %v", applied, err)
	}
	if _, err := one.HandleRequest(t.Context(), person("author"), decide.Review{Request: request.ID}); !isRefused(err, decide.CauseForbidden) {
		t.Errorf("reviewed by its author: %v", err)
	}
	reviewed, err := one.HandleRequest(t.Context(), person("one"), decide.Review{Request: request.ID})
	if err != nil || reviewed.ReviewOpen() {
		t.Errorf("reviewed: %+v, %v", reviewed, err)
	}
	if again, err := one.Apply(t.Context(), person("author"), request.ID); err != nil || again.Applied != applied.Applied {
		t.Errorf("applied again: %+v, %v", again.Applied, err)
	}
	if _, err := one.HandleRequest(t.Context(), person("one"), decide.Comment{Request: "none", Text: "x"}); !isRefused(err, decide.CauseNotFound) {
		t.Errorf("a request that does not exist: %v", err)
	}
}
