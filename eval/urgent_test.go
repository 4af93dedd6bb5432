package eval

import (
	"testing"

	"github.com/flagside/flagside/document"
)

// A kill switch, and everything that hangs on one, is told, and stays told while another version of it cannot be compiled.
func TestFlagsThatAreNeverOld(t *testing.T) {
	t.Parallel()
	r := apply(t, New(),
		flagDocument("switch", 1, `,"kind":"ops"`), flagDocument("on-it", 2, `,"prerequisites":[{"flag":"switch","variants":["on"]}]`),
		flagDocument("far", 3, `,"prerequisites":[{"flag":"on-it","variants":["on"]}]`), flagDocument("free", 4, `,"kind":"release"`))
	want := map[string]bool{"switch": true, "on-it": true, "far": true, "free": false}
	check := func(r *Ruleset) {
		t.Helper()
		for key, urgent := range want {
			if got := r.Flag(key).Urgent(); got != urgent {
				t.Errorf("%s: %v", key, got)
			}
		}
	}
	check(r)
	broken, _ := refused(t, r, flagDocument("switch", 5, `,"kind":"ops","colour":"red"`))
	check(broken)
	want = map[string]bool{"switch": false, "on-it": false, "far": false, "free": false}
	check(apply(t, r, flagDocument("switch", 6, "")))

	lenient := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), document.Document{
		Kind: document.KindFlag, Key: "f", Revision: 1, Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","KIND":"ops"}`),
	})
	if !lenient.Flag("f").Urgent() {
		t.Error("the kind counts in every spelling that flagd takes")
	}
}
