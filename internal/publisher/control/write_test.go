package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// The cases of RFC 7396, appendix A, as far as documents are objects, and that nothing else is respelled.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"z":12345678901234567890,"y":1.50,"x":"\u00e9"}`, `{"y":{"a":1e400}}`, `{"z":12345678901234567890,"y":{"a":1e400},"x":"\u00e9"}`},
	} {
		got, err := control.Merge([]byte(c[0]), []byte(c[1]))
		if err != nil || string(got) != c[2] {
			t.Errorf("%s with %s is %s, %v, want %s", c[0], c[1], got, err, c[2])
		}
	}
}

func FuzzMergePatch(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1}}`), []byte(`{"a":{"b":null,"c":[1]}}`))
	f.Add([]byte(`[]`), []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, target, patch []byte) {
		target, err := changelog.CompactDocument(target)
		if err != nil {
			return
		}
		if patch, err = changelog.CompactDocument(patch); err != nil {
			return
		}
		once, err := control.Merge(target, patch)
		if err != nil {
			t.Fatalf("%s with %s: %v", target, patch, err)
		}
		if twice, err := control.Merge(once, patch); err != nil || string(twice) != string(once) {
			t.Errorf("%s with %s is %s, then %s, %v", target, patch, once, twice, err)
		}
	})
}

func TestPatchAndToggle(t *testing.T) {
	t.Parallel()
	s := shop(t)
	f := func(c control.Command, want string) {
		t.Helper()
		decision, err := control.Decide(s, c)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(t, decision)
		live, _ := s.Document(flagID("a"))
		if diff := cmp.Diff(want, string(live.Body)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f(control.Patch{ID: flagID("a"), Merge: []byte(` {"defaultVariant": "off"} `), If: seen(2)},
		`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	f(control.Toggle{Flag: "a", On: false, If: seen(6)},
		`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	f(control.Toggle{Flag: "a", On: false, If: seen(7)},
		`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	if s.revision != 7 {
		t.Errorf("revision %d: turning off what is off has written something", s.revision)
	}
	for cause, c := range map[control.Cause]control.Command{
		control.CausePreconditionMissing: control.Toggle{Flag: "a", On: true},
		control.CausePreconditionFailed:  control.Toggle{Flag: "a", On: true, If: seen(6)},
		control.CauseMalformed:           control.Patch{ID: flagID("a"), Merge: []byte(`{`), If: seen(7)},
		control.CauseInvalid:             control.Patch{ID: flagID("a"), Merge: []byte(`{"defaultVariant":"none"}`), If: seen(7)},
		control.CauseNotFound:            control.Patch{ID: flagID("none"), Merge: []byte(`{}`), If: absent()},
	} {
		if _, err := control.Decide(s, c); !isRefused(err, cause) {
			t.Errorf("%+v: %v, want %s", c, err, cause)
		}
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	s := shop(t)
	s.put(t, flagDocument("d", flagBody("on", requires("b"))))
	if _, err := control.Decide(s, control.Archive{ID: flagID("a"), If: seen(2)}); !isRefused(err, control.CauseInUse) {
		t.Errorf("what others depend on: %v", err)
	}
	decision, err := control.Decide(s, control.Archive{ID: flagID("a"), If: seen(2), Force: true})
	if err != nil || len(decision.Parts) != 1 {
		t.Fatalf("forced: %+v, %v", decision, err)
	}
	s.apply(t, decision)
	for _, key := range []string{"a", "b", "d"} {
		if _, exists := s.Document(flagID(key)); exists {
			t.Errorf("flag %s is still there", key)
		}
	}
	if _, exists := s.Document(flagID("c")); !exists {
		t.Error("a flag that does not depend on it is gone")
	}
	if _, err := control.Decide(s, control.Archive{ID: flagID("c"), If: seen(4), Force: true}); !isRefused(err, control.CausePreconditionFailed) {
		t.Errorf("forced, of what has changed: %v", err)
	}
}

func TestPromoteTakesDependenciesAlong(t *testing.T) {
	t.Parallel()
	source, target := shop(t), newState()
	target.put(t, flagDocument("b", flagBody("off", "")), flagDocument("old", flagBody("off", "")))
	transfer := control.Promote(source, target, []document.ID{flagID("b"), flagID("c"), flagID("old")})
	var got []string
	for _, d := range transfer.Differences(target) {
		got = append(got, fmt.Sprint(d.ID, " ", d.Before != nil, " ", d.After != nil))
	}
	want := []string{"flag/a false true", "flag/b true true", "flag/c false true", "flag/old true false", "segment/staff false true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	decision, err := control.Decide(target, transfer)
	if err != nil {
		t.Fatal(err)
	}
	target.apply(t, decision)
	if decision, err := control.Decide(target, transfer); err != nil || len(decision.Parts) > 0 {
		t.Errorf("again: %+v, %v, want nothing to do", decision, err)
	}
	target.put(t, flagDocument("b", flagBody("off", "")))
	if _, err := control.Decide(target, transfer); !isRefused(err, control.CausePreconditionFailed) {
		t.Errorf("over someone else's change: %v", err)
	}
}

// A transfer that is too large for one transaction goes in parts, and goes on after an interruption.
func TestLargeTransferIsResumed(t *testing.T) {
	t.Parallel()
	source, target := newState(), newState()
	var documents []document.Document
	var ids []document.ID
	for i := range 2500 {
		key := fmt.Sprintf("f%04d", 2500-i)
		more := ""
		if i > 0 {
			more = requires(fmt.Sprintf("f%04d", 2501-i))
		}
		if i%50 == 0 {
			more = ""
		}
		documents = append(documents, flagDocument(key, flagBody("on", more)))
		ids = append(ids, flagID(key))
	}
	source.put(t, documents...)
	transfer := control.Promote(source, target, ids)
	decision, err := control.Decide(target, transfer)
	if err != nil || len(decision.Parts) < 3 {
		t.Fatalf("%d parts, %v", len(decision.Parts), err)
	}
	target.apply(t, control.Decision{Parts: decision.Parts[:1]})
	rest, err := control.Decide(target, transfer)
	if err != nil || len(rest.Parts) != len(decision.Parts)-1 {
		t.Fatalf("%d parts are left, %v", len(rest.Parts), err)
	}
	target.apply(t, rest)
	if err := target.holds(documents); err != nil {
		t.Error(err)
	}
}

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
	f(flagID("f"), first.Match, map[string]string{"f": "first", "g": "first", "h": "new"})
	f(document.ID{}, past.Match, map[string]string{"f": "second", "g": "first"})
	f(flagID("g"), first.Match, map[string]string{"f": "second"})
	last, err := one.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []changelog.Token{{}, {Epoch: first.Match.Epoch, Revision: last.Position().Revision + 1}, {Epoch: "00000000", Revision: 1}} {
		if _, err := one.RollBack(t.Context(), flagID("f"), to); !isRefused(err, control.CauseNotKnown) {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// Breaking the glass goes without approvals, needs a reason, and is looked at by someone else.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	one := newReplica(t, newEnvironment(t))
	put := control.Proposing{Command: control.Put{ID: flagID("f"), Body: flagBody("on", ""), If: absent()}, BreakGlass: true}
	silent := person("author")
	silent.Reason = ""
	if _, err := one.Open(t.Context(), silent, put); !isRefused(err, control.CauseMalformed) {
		t.Errorf("without a reason: %v", err)
	}
	request, err := one.Open(t.Context(), person("author"), put)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := one.Apply(t.Context(), person("author"), request.ID)
	if err != nil || applied.Status != control.Applied || !applied.ReviewOpen() {
		t.Fatalf("applied: %+v, %v", applied, err)
	}
	if _, err := one.Govern(t.Context(), person("author"), control.Review{Request: request.ID}); !isRefused(err, control.CauseForbidden) {
		t.Errorf("reviewed by its author: %v", err)
	}
	reviewed, err := one.Govern(t.Context(), person("one"), control.Review{Request: request.ID})
	if err != nil || reviewed.ReviewOpen() {
		t.Errorf("reviewed: %+v, %v", reviewed, err)
	}
	if again, err := one.Apply(t.Context(), person("author"), request.ID); err != nil || again.Applied != applied.Applied {
		t.Errorf("applied again: %+v, %v", again.Applied, err)
	}
	if _, err := one.Govern(t.Context(), person("one"), control.Comment{Request: "none", Text: "x"}); !isRefused(err, control.CauseNotFound) {
		t.Errorf("a request that does not exist: %v", err)
	}
}
