package decide_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	refused := func(command decide.Command, cause decide.Cause, detail string) *decide.Refusal {
		t.Helper()
		decision, err := decide.Change(s, command)
		refusal, ok := errors.AsType[*decide.Refusal](err)
		if !ok {
			t.Fatalf("got decision %v and error %v, want a refusal for %s", decision, err, cause)
		}
		if refusal.Cause != cause || !strings.Contains(refusal.Detail, detail) {
			t.Errorf("refused for %s: %s; want %s: %s", refusal.Cause, refusal.Detail, cause, detail)
		}
		if len(decision.Parts) != 0 {
			t.Errorf("a refused command has parts: %v", decision.Parts)
		}
		return refusal
	}
	f := func(command decide.Command, cause decide.Cause, detail string) {
		t.Helper()
		_ = refused(command, cause, detail)
	}
	good := statetest.FlagBody("off", "")

	f(decide.Put{ID: statetest.FlagID("a"), Body: good}, decide.CausePreconditionMissing, "If-Match")
	f(decide.Delete{ID: statetest.FlagID("a")}, decide.CausePreconditionMissing, "If-Match")
	if r := refused(decide.Put{ID: statetest.FlagID("a"), Body: good, If: seen(1)}, decide.CausePreconditionFailed, "changed"); r.Current.Revision != 2 {
		t.Errorf("current is %v, want revision 2", r.Current)
	}
	f(decide.Delete{ID: statetest.FlagID("a"), If: seen(3)}, decide.CausePreconditionFailed, "changed")
	f(decide.Put{ID: statetest.FlagID("a"), Body: good, If: absent()}, decide.CausePreconditionFailed, "exists already")
	f(decide.Put{ID: statetest.FlagID("new"), Body: good, If: seen(2)}, decide.CausePreconditionFailed, "does not exist")
	other := decide.Precondition{Match: changelog.Token{Epoch: "deadbeef", Revision: 2}}
	f(decide.Put{ID: statetest.FlagID("a"), Body: good, If: other}, decide.CausePreconditionFailed, "another history")
	f(decide.Delete{ID: statetest.FlagID("new"), If: seen(2)}, decide.CauseNotFound, `no flag "new"`)

	f(decide.Put{ID: statetest.FlagID(""), Body: good, If: absent()}, decide.CauseMalformed, "empty")
	f(decide.Put{ID: statetest.FlagID("a"), Body: []byte(`{"state":`), If: seen(2)}, decide.CauseMalformed, "not one JSON value")
	f(decide.Put{ID: statetest.FlagID("a"), Body: []byte(`{} {}`), If: seen(2)}, decide.CauseMalformed, "not one JSON value")
	f(decide.Put{ID: statetest.FlagID("a"), Body: []byte(`{"state":"ENABLED","state":"DISABLED"}`), If: seen(2)}, decide.CauseMalformed, "duplicate")
	huge := statetest.FlagBody("on", `,"description":"`+strings.Repeat("x", document.MaxSize)+`"`)
	f(decide.Put{ID: statetest.FlagID("a"), Body: huge, If: seen(2)}, decide.CauseTooLarge, "at most 524288")

	r := refused(decide.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("blue", ""), If: seen(2)}, decide.CauseInvalid, "cannot be published")
	if len(r.Problems) == 0 || r.Problems[0].Pointer != "/defaultVariant" || r.Problems[0].Key != "a" {
		t.Errorf("problems %v, want one at /defaultVariant of a", r.Problems)
	}
	// What is wrong may be wrong somewhere else: b requires that a can be on.
	without := []byte(`{"state":"ENABLED","variants":{"off":false},"defaultVariant":"off"}`)
	r = refused(decide.Put{ID: statetest.FlagID("a"), Body: without, If: seen(2)}, decide.CauseInvalid, "cannot be published")
	if len(r.Problems) == 0 || r.Problems[0].Key != "b" {
		t.Errorf("problems %v, want one of b", r.Problems)
	}
	r = refused(decide.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("on", statetest.Requires("b")), If: seen(2)}, decide.CauseInvalid, "cannot be published")
	if !strings.Contains(r.Error(), "cycle") {
		t.Errorf("a cycle is refused with %v", r)
	}

	r = refused(decide.Delete{ID: statetest.FlagID("a"), If: seen(2)}, decide.CauseInUse, `depend on flag "a"`)
	if len(r.Problems) == 0 || r.Problems[0].Key != "b" {
		t.Errorf("dependants %v, want b", r.Problems)
	}
	r = refused(decide.Delete{ID: statetest.SegmentID("staff"), If: seen(4)}, decide.CauseInUse, `depend on segment "staff"`)
	if len(r.Problems) == 0 || r.Problems[0].Key != "c" {
		t.Errorf("dependants %v, want c", r.Problems)
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	f := func(command decide.Command, want ...document.Document) {
		t.Helper()
		decision, err := decide.Change(s, command)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]document.Document{want}, decision.Parts); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
	}
	spaced := bytes.ReplaceAll(statetest.FlagBody("off", ""), []byte(","), []byte(" ,\n "))
	f(decide.Put{ID: statetest.FlagID("a"), Body: spaced, If: seen(2)},
		document.Document{Kind: document.KindFlag, Key: "a", Body: statetest.FlagBody("off", "")})
	f(decide.Put{ID: statetest.FlagID("a/b c"), Body: statetest.FlagBody("on", ""), If: absent()},
		document.Document{Kind: document.KindFlag, Key: "a/b c", Body: statetest.FlagBody("on", "")})
	f(decide.Put{ID: statetest.SettingsID(), Body: []byte(`{"compatibility":"flagd"}`), If: absent()},
		document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)})
	f(decide.Delete{ID: statetest.FlagID("b"), If: seen(3)},
		document.Document{Kind: document.KindFlag, Key: "b"})
}

// Repeating what is there writes nothing, but only for an author who has seen it.
func TestPutOfTheSameChangesNothing(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	decision, err := decide.Change(s, decide.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("on", ""), If: seen(2)})
	if err != nil {
		t.Fatal(err)
	}
	want := decide.Decision{Unchanged: changelog.Token{Epoch: statetest.Epoch.Short(), Revision: 2}}
	if diff := cmp.Diff(want, decision); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	_, err = decide.Change(s, decide.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("on", ""), If: seen(1)})
	if refusal, ok := errors.AsType[*decide.Refusal](err); !ok || refusal.Cause != decide.CausePreconditionFailed {
		t.Errorf("the same document with an old revision: %v, want a refusal", err)
	}
}
