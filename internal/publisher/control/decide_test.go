package control_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

func seen(revision uint64) control.Precondition {
	return control.Precondition{Match: changelog.Token{Epoch: statetest.Epoch.Short(), Revision: revision}}
}

func absent() control.Precondition { return control.Precondition{Absent: true} }

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	refused := func(command control.Command, cause control.Cause, detail string) *control.Refusal {
		t.Helper()
		decision, err := control.Decide(s, command)
		refusal, ok := errors.AsType[*control.Refusal](err)
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
	f := func(command control.Command, cause control.Cause, detail string) {
		t.Helper()
		_ = refused(command, cause, detail)
	}
	good := statetest.FlagBody("off", "")

	f(control.Put{ID: statetest.FlagID("a"), Body: good}, control.CausePreconditionMissing, "If-Match")
	f(control.Delete{ID: statetest.FlagID("a")}, control.CausePreconditionMissing, "If-Match")
	if r := refused(control.Put{ID: statetest.FlagID("a"), Body: good, If: seen(1)}, control.CausePreconditionFailed, "changed"); r.Current.Revision != 2 {
		t.Errorf("current is %v, want revision 2", r.Current)
	}
	f(control.Delete{ID: statetest.FlagID("a"), If: seen(3)}, control.CausePreconditionFailed, "changed")
	f(control.Put{ID: statetest.FlagID("a"), Body: good, If: absent()}, control.CausePreconditionFailed, "exists already")
	f(control.Put{ID: statetest.FlagID("new"), Body: good, If: seen(2)}, control.CausePreconditionFailed, "does not exist")
	other := control.Precondition{Match: changelog.Token{Epoch: "deadbeef", Revision: 2}}
	f(control.Put{ID: statetest.FlagID("a"), Body: good, If: other}, control.CausePreconditionFailed, "another history")
	f(control.Delete{ID: statetest.FlagID("new"), If: seen(2)}, control.CauseNotFound, `no flag "new"`)

	f(control.Put{ID: statetest.FlagID(""), Body: good, If: absent()}, control.CauseMalformed, "empty")
	f(control.Put{ID: statetest.FlagID("a"), Body: []byte(`{"state":`), If: seen(2)}, control.CauseMalformed, "not one JSON value")
	f(control.Put{ID: statetest.FlagID("a"), Body: []byte(`{} {}`), If: seen(2)}, control.CauseMalformed, "not one JSON value")
	f(control.Put{ID: statetest.FlagID("a"), Body: []byte(`{"state":"ENABLED","state":"DISABLED"}`), If: seen(2)}, control.CauseMalformed, "duplicate")
	huge := statetest.FlagBody("on", `,"description":"`+strings.Repeat("x", document.MaxSize)+`"`)
	f(control.Put{ID: statetest.FlagID("a"), Body: huge, If: seen(2)}, control.CauseTooLarge, "at most 524288")

	r := refused(control.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("blue", ""), If: seen(2)}, control.CauseInvalid, "cannot be published")
	if len(r.Problems) == 0 || r.Problems[0].Pointer != "/defaultVariant" || r.Problems[0].Key != "a" {
		t.Errorf("problems %v, want one at /defaultVariant of a", r.Problems)
	}
	// What is wrong may be wrong somewhere else: b requires that a can be on.
	without := []byte(`{"state":"ENABLED","variants":{"off":false},"defaultVariant":"off"}`)
	r = refused(control.Put{ID: statetest.FlagID("a"), Body: without, If: seen(2)}, control.CauseInvalid, "cannot be published")
	if len(r.Problems) == 0 || r.Problems[0].Key != "b" {
		t.Errorf("problems %v, want one of b", r.Problems)
	}
	r = refused(control.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("on", statetest.Requires("b")), If: seen(2)}, control.CauseInvalid, "cannot be published")
	if !strings.Contains(r.Error(), "cycle") {
		t.Errorf("a cycle is refused with %v", r)
	}

	r = refused(control.Delete{ID: statetest.FlagID("a"), If: seen(2)}, control.CauseInUse, `depend on flag "a"`)
	if len(r.Problems) == 0 || r.Problems[0].Key != "b" {
		t.Errorf("dependants %v, want b", r.Problems)
	}
	r = refused(control.Delete{ID: statetest.SegmentID("staff"), If: seen(4)}, control.CauseInUse, `depend on segment "staff"`)
	if len(r.Problems) == 0 || r.Problems[0].Key != "c" {
		t.Errorf("dependants %v, want c", r.Problems)
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	f := func(command control.Command, want ...document.Document) {
		t.Helper()
		decision, err := control.Decide(s, command)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]document.Document{want}, decision.Parts); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
	}
	spaced := bytes.ReplaceAll(statetest.FlagBody("off", ""), []byte(","), []byte(" ,\n "))
	f(control.Put{ID: statetest.FlagID("a"), Body: spaced, If: seen(2)},
		document.Document{Kind: document.KindFlag, Key: "a", Body: statetest.FlagBody("off", "")})
	f(control.Put{ID: statetest.FlagID("a/b c"), Body: statetest.FlagBody("on", ""), If: absent()},
		document.Document{Kind: document.KindFlag, Key: "a/b c", Body: statetest.FlagBody("on", "")})
	f(control.Put{ID: statetest.SettingsID(), Body: []byte(`{"compatibility":"flagd"}`), If: absent()},
		document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)})
	f(control.Delete{ID: statetest.FlagID("b"), If: seen(3)},
		document.Document{Kind: document.KindFlag, Key: "b"})
}

// Repeating what is there writes nothing, but only for somebody who has seen it.
func TestPutOfTheSameChangesNothing(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	decision, err := control.Decide(s, control.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("on", ""), If: seen(2)})
	if err != nil {
		t.Fatal(err)
	}
	want := control.Decision{Unchanged: changelog.Token{Epoch: statetest.Epoch.Short(), Revision: 2}}
	if diff := cmp.Diff(want, decision); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	_, err = control.Decide(s, control.Put{ID: statetest.FlagID("a"), Body: statetest.FlagBody("on", ""), If: seen(1)})
	if refusal, ok := errors.AsType[*control.Refusal](err); !ok || refusal.Cause != control.CausePreconditionFailed {
		t.Errorf("the same document with an old revision: %v, want a refusal", err)
	}
}
