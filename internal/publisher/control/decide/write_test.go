package decide_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
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
		got, err := decide.Merge([]byte(c[0]), []byte(c[1]))
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
		once, err := decide.Merge(target, patch)
		if err != nil {
			t.Fatalf("%s with %s: %v", target, patch, err)
		}
		if twice, err := decide.Merge(once, patch); err != nil || string(twice) != string(once) {
			t.Errorf("%s with %s is %s, then %s, %v", target, patch, once, twice, err)
		}
	})
}

func TestPatchAndToggle(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	f := func(c decide.Command, want string) {
		t.Helper()
		decision, err := decide.Change(s, c)
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(t, decision.Parts...)
		live, _ := s.Document(statetest.FlagID("a"))
		if diff := cmp.Diff(want, string(live.Body)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f(decide.Patch{ID: statetest.FlagID("a"), Merge: []byte(` {"defaultVariant": "off"} `), If: seen(2)},
		`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	f(decide.Toggle{Flag: "a", On: false, If: seen(6)},
		`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	f(decide.Toggle{Flag: "a", On: false, If: seen(7)},
		`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)
	if s.Revision != 7 {
		t.Errorf("revision %d: turning off what is off has written something", s.Revision)
	}
	for cause, c := range map[decide.Cause]decide.Command{
		decide.CausePreconditionMissing: decide.Toggle{Flag: "a", On: true},
		decide.CausePreconditionFailed:  decide.Toggle{Flag: "a", On: true, If: seen(6)},
		decide.CauseMalformed:           decide.Patch{ID: statetest.FlagID("a"), Merge: []byte(`{`), If: seen(7)},
		decide.CauseInvalid:             decide.Patch{ID: statetest.FlagID("a"), Merge: []byte(`{"defaultVariant":"none"}`), If: seen(7)},
		decide.CauseNotFound:            decide.Patch{ID: statetest.FlagID("none"), Merge: []byte(`{}`), If: absent()},
	} {
		if _, err := decide.Change(s, c); !isRefused(err, cause) {
			t.Errorf("%+v: %v, want %s", c, err, cause)
		}
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	s.Put(t, statetest.FlagDocument("d", statetest.FlagBody("on", statetest.Requires("b"))))
	if _, err := decide.Change(s, decide.Archive{ID: statetest.FlagID("a"), If: seen(2)}); !isRefused(err, decide.CauseInUse) {
		t.Errorf("what others depend on: %v", err)
	}
	decision, err := decide.Change(s, decide.Archive{ID: statetest.FlagID("a"), If: seen(2), Force: true})
	if err != nil || len(decision.Parts) != 1 {
		t.Fatalf("forced: %+v, %v", decision, err)
	}
	s.Apply(t, decision.Parts...)
	for _, key := range []string{"a", "b", "d"} {
		if _, exists := s.Document(statetest.FlagID(key)); exists {
			t.Errorf("flag %s is still there", key)
		}
	}
	if _, exists := s.Document(statetest.FlagID("c")); !exists {
		t.Error("a flag that does not depend on it is gone")
	}
	if _, err := decide.Change(s, decide.Archive{ID: statetest.FlagID("c"), If: seen(4), Force: true}); !isRefused(err, decide.CausePreconditionFailed) {
		t.Errorf("forced, of what has changed: %v", err)
	}
}

func TestPromoteTakesDependenciesAlong(t *testing.T) {
	t.Parallel()
	source, target := statetest.Shop(t), statetest.New()
	target.Put(t, statetest.FlagDocument("b", statetest.FlagBody("off", "")), statetest.FlagDocument("old", statetest.FlagBody("off", "")))
	transfer := decide.Promote(source, target, []document.ID{statetest.FlagID("b"), statetest.FlagID("c"), statetest.FlagID("old")})
	var got []string
	for _, d := range transfer.Differences(target) {
		got = append(got, fmt.Sprint(d.ID, " ", d.Before != nil, " ", d.After != nil))
	}
	want := []string{"flag/a false true", "flag/b true true", "flag/c false true", "flag/old true false", "segment/staff false true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	decision, err := decide.Change(target, transfer)
	if err != nil {
		t.Fatal(err)
	}
	target.Apply(t, decision.Parts...)
	if decision, err := decide.Change(target, transfer); err != nil || len(decision.Parts) > 0 {
		t.Errorf("again: %+v, %v, want nothing to do", decision, err)
	}
	target.Put(t, statetest.FlagDocument("b", statetest.FlagBody("off", "")))
	if _, err := decide.Change(target, transfer); !isRefused(err, decide.CausePreconditionFailed) {
		t.Errorf("over another person's change: %v", err)
	}
}

// A transfer that is too large for one transaction goes in parts, and goes on after an interruption.
func TestLargeTransferIsResumed(t *testing.T) {
	t.Parallel()
	source, target := statetest.New(), statetest.New()
	var documents []document.Document
	var ids []document.ID
	for i := range 2500 {
		key := fmt.Sprintf("f%04d", 2500-i)
		more := ""
		if i > 0 {
			more = statetest.Requires(fmt.Sprintf("f%04d", 2501-i))
		}
		if i%50 == 0 {
			more = ""
		}
		documents = append(documents, statetest.FlagDocument(key, statetest.FlagBody("on", more)))
		ids = append(ids, statetest.FlagID(key))
	}
	source.Put(t, documents...)
	transfer := decide.Promote(source, target, ids)
	decision, err := decide.Change(target, transfer)
	if err != nil || len(decision.Parts) < 3 {
		t.Fatalf("%d parts, %v", len(decision.Parts), err)
	}
	target.Apply(t, decision.Parts[0])
	rest, err := decide.Change(target, transfer)
	if err != nil || len(rest.Parts) != len(decision.Parts)-1 {
		t.Fatalf("%d parts are left, %v", len(rest.Parts), err)
	}
	target.Apply(t, rest.Parts...)
	if err := target.Holds(documents); err != nil {
		t.Error(err)
	}
}

// A patch with as many members as its document takes no longer than both have bytes.
func TestPatchOfManyMembers(t *testing.T) {
	t.Parallel()
	many := func(prefix string) []byte {
		var b strings.Builder
		for i := range 200_000 {
			fmt.Fprintf(&b, `,"%s%05d":1`, prefix, i)
		}
		return []byte("{" + b.String()[1:] + "}")
	}
	began := time.Now()
	merged, err := decide.Merge(many("a"), many("b"))
	if took := time.Since(began); err != nil || len(merged) < 4_000_000 || took > time.Minute {
		t.Errorf("%d bytes after %s, %v", len(merged), took, err)
	}
}
