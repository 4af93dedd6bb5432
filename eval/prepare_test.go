package eval

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
)

// An update with what was prepared takes that, once; with anything else it compiles.
func TestAnUpdateTakesWhatWasPrepared(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, ""), flagDocument("b", 1, ""), segmentDocument("s", `{"==":[1,1]}`))
	changes := func(revision uint64) []document.Document {
		return []document.Document{flagDocument("a", revision, onForEverybody), removal(document.KindFlag, "b")}
	}
	prepared, problems := r.Prepare(changes(2))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	for what, other := range map[string][]document.Document{
		"another revision": changes(3), "fewer": changes(2)[:1], "none": nil,
		"another body": {flagDocument("a", 2, ""), removal(document.KindFlag, "b")},
		"no deletion":  {changes(2)[0], flagDocument("b", 2, "")},
		"another kind": {changes(2)[0], removal(document.KindSegment, "b")},
	} {
		if next := apply(t, r, other...); next == prepared {
			t.Errorf("%s: the update took what was prepared", what)
		}
	}
	deleting := changes(2)
	deleting[1].Revision = 3 // that of the entry, which says nothing
	if next := apply(t, r, deleting...); next != prepared {
		t.Error("the update compiled what was prepared")
	}
	wantAnswer(t, prepared, "a", "", "TARGETING_MATCH on")
	if next := apply(t, r, changes(2)...); next == prepared || next.Generation() == prepared.Generation() {
		t.Error("a second update took the same, so that two views would share a generation")
	}
	runtime.KeepAlive(prepared)
}

// The problems of what was prepared are those of the update, too.
func TestPreparedProblems(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, ""))
	broken := flagDocument("a", 2, `,"targeting":{"nope":[]}`)
	prepared, problems := r.Prepare([]document.Document{broken})
	next, again := r.Update([]document.Document{broken})
	if next != prepared || fmt.Sprint(problems) != fmt.Sprint(again) || again.Err() == nil {
		t.Errorf("%v, then %v", problems, again)
	}
}

// What was prepared in vain is not kept by what it was prepared from.
func TestWhatWasPreparedInVainIsFreed(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, ""))
	freed := make(chan struct{})
	func() {
		prepared, _ := r.Prepare([]document.Document{flagDocument("a", 2, "")})
		runtime.AddCleanup(prepared, func(c chan struct{}) { close(c) }, freed)
	}()
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		runtime.GC()
		select {
		case <-freed:
			if next := apply(t, r, flagDocument("a", 2, "")); next.Flag("a").Revision() != 2 {
				t.Errorf("revision %d", next.Flag("a").Revision())
			}
			return
		default:
		}
	}
	t.Error("it is still kept")
}
