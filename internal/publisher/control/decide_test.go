package control_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// shop has a flag a, a flag b that requires a, a segment staff and a flag c that uses it, all at known revisions.
func shop(t *testing.T) *state {
	t.Helper()
	s := newState()
	s.put(t, flagDocument("a", flagBody("on", "")))            // revision 2
	s.put(t, flagDocument("b", flagBody("on", requires("a")))) // revision 3
	s.put(t, document.Document{Kind: document.KindSegment, Key: "staff", Body: []byte(`{"ends_with":[{"var":"email"},"@example.com"]}`)})
	s.put(t, flagDocument("c", flagBody("on", `,"targeting":{"if":[{"$ref":"staff"},"on","off"]}`)))
	return s
}

func seen(revision uint64) control.Precondition {
	return control.Precondition{Match: changelog.Token{Epoch: epoch.Short(), Revision: revision}}
}

func absent() control.Precondition { return control.Precondition{Absent: true} }

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := shop(t)
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
	good := flagBody("off", "")

	f(control.Put{ID: flagID("a"), Body: good}, control.CausePreconditionMissing, "If-Match")
	f(control.Delete{ID: flagID("a")}, control.CausePreconditionMissing, "If-Match")
	if r := refused(control.Put{ID: flagID("a"), Body: good, If: seen(1)}, control.CausePreconditionFailed, "changed"); r.Current.Revision != 2 {
		t.Errorf("current is %v, want revision 2", r.Current)
	}
	f(control.Delete{ID: flagID("a"), If: seen(3)}, control.CausePreconditionFailed, "changed")
	f(control.Put{ID: flagID("a"), Body: good, If: absent()}, control.CausePreconditionFailed, "exists already")
	f(control.Put{ID: flagID("new"), Body: good, If: seen(2)}, control.CausePreconditionFailed, "does not exist")
	other := control.Precondition{Match: changelog.Token{Epoch: "deadbeef", Revision: 2}}
	f(control.Put{ID: flagID("a"), Body: good, If: other}, control.CausePreconditionFailed, "another history")
	f(control.Delete{ID: flagID("new"), If: seen(2)}, control.CauseNotFound, `no flag "new"`)

	f(control.Put{ID: flagID(""), Body: good, If: absent()}, control.CauseMalformed, "empty")
	f(control.Put{ID: flagID("a"), Body: []byte(`{"state":`), If: seen(2)}, control.CauseMalformed, "not one JSON value")
	f(control.Put{ID: flagID("a"), Body: []byte(`{} {}`), If: seen(2)}, control.CauseMalformed, "not one JSON value")
	f(control.Put{ID: flagID("a"), Body: []byte(`{"state":"ENABLED","state":"DISABLED"}`), If: seen(2)}, control.CauseMalformed, "duplicate")
	huge := flagBody("on", `,"description":"`+strings.Repeat("x", document.MaxSize)+`"`)
	f(control.Put{ID: flagID("a"), Body: huge, If: seen(2)}, control.CauseTooLarge, "at most 524288")

	r := refused(control.Put{ID: flagID("a"), Body: flagBody("blue", ""), If: seen(2)}, control.CauseInvalid, "cannot be published")
	if len(r.Problems) == 0 || r.Problems[0].Pointer != "/defaultVariant" || r.Problems[0].Key != "a" {
		t.Errorf("problems %v, want one at /defaultVariant of a", r.Problems)
	}
	// What is wrong may be wrong somewhere else: b requires that a can be on.
	without := []byte(`{"state":"ENABLED","variants":{"off":false},"defaultVariant":"off"}`)
	r = refused(control.Put{ID: flagID("a"), Body: without, If: seen(2)}, control.CauseInvalid, "cannot be published")
	if len(r.Problems) == 0 || r.Problems[0].Key != "b" {
		t.Errorf("problems %v, want one of b", r.Problems)
	}
	r = refused(control.Put{ID: flagID("a"), Body: flagBody("on", requires("b")), If: seen(2)}, control.CauseInvalid, "cannot be published")
	if !strings.Contains(r.Error(), "cycle") {
		t.Errorf("a cycle is refused with %v", r)
	}

	r = refused(control.Delete{ID: flagID("a"), If: seen(2)}, control.CauseInUse, `depend on flag "a"`)
	if len(r.Problems) == 0 || r.Problems[0].Key != "b" {
		t.Errorf("dependants %v, want b", r.Problems)
	}
	r = refused(control.Delete{ID: segmentID("staff"), If: seen(4)}, control.CauseInUse, `depend on segment "staff"`)
	if len(r.Problems) == 0 || r.Problems[0].Key != "c" {
		t.Errorf("dependants %v, want c", r.Problems)
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	s := shop(t)
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
	spaced := bytes.ReplaceAll(flagBody("off", ""), []byte(","), []byte(" ,\n "))
	f(control.Put{ID: flagID("a"), Body: spaced, If: seen(2)},
		document.Document{Kind: document.KindFlag, Key: "a", Body: flagBody("off", "")})
	f(control.Put{ID: flagID("a/b c"), Body: flagBody("on", ""), If: absent()},
		document.Document{Kind: document.KindFlag, Key: "a/b c", Body: flagBody("on", "")})
	f(control.Put{ID: settingsID(), Body: []byte(`{"compatibility":"flagd"}`), If: absent()},
		document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)})
	f(control.Delete{ID: flagID("b"), If: seen(3)},
		document.Document{Kind: document.KindFlag, Key: "b"})
}

// Repeating what is there writes nothing, but only for someone who has seen it.
func TestPutOfTheSameChangesNothing(t *testing.T) {
	t.Parallel()
	s := shop(t)
	decision, err := control.Decide(s, control.Put{ID: flagID("a"), Body: flagBody("on", ""), If: seen(2)})
	if err != nil {
		t.Fatal(err)
	}
	want := control.Decision{Unchanged: changelog.Token{Epoch: epoch.Short(), Revision: 2}}
	if diff := cmp.Diff(want, decision); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	_, err = control.Decide(s, control.Put{ID: flagID("a"), Body: flagBody("on", ""), If: seen(1)})
	if refusal, ok := errors.AsType[*control.Refusal](err); !ok || refusal.Cause != control.CausePreconditionFailed {
		t.Errorf("the same document with an old revision: %v, want a refusal", err)
	}
}
