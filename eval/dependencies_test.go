package eval

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

func TestDependencies(t *testing.T) {
	segment := func(name, rule string) document.Document {
		return document.Document{Kind: document.KindSegment, Key: name, Body: []byte(rule)}
	}
	flag := func(key, more string) document.Document {
		return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(`{"state":"ENABLED","variants":{"on":1}` + more + `}`)}
	}
	r, problems := New().Update([]document.Document{
		segment("a", `{"==":[1,1]}`), segment("b", `{"!":[{"$ref":"a"}]}`), flag("p", ""),
		flag("f", `,"targeting":{"if":[{"$ref":"b"},"on"]},"prerequisites":[{"flag":"p","variants":["on"]}]`),
	})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	f := func(id document.ID, want ...document.ID) {
		t.Helper()
		if diff := cmp.Diff(want, r.Dependencies(id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	f(flagID("f"), flagID("p"), segmentID("a"), segmentID("b"))
	f(segmentID("b"), segmentID("a"))
	f(flagID("p"))
	f(flagID("missing"))
	f(segmentID("f"))
	r, _ = r.Update([]document.Document{flag("f", `,"targeting":{"if":[{"$ref":"gone"},"on"]}`)}) // cannot be compiled: both versions count
	f(flagID("f"), flagID("p"), segmentID("a"), segmentID("b"), segmentID("gone"))
	if diff := cmp.Diff([]document.ID{flagID("p"), segmentID("a"), segmentID("b")}, r.Flag("f").References()); diff != "" {
		t.Errorf("the version in use (-want +got):\n%s", diff)
	}
}
