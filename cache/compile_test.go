package cache

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/flagside/flagside/document"
)

// A document that does not compile is stored and passed on as it is; the last
// version that did is what is served, also by the processes that come after.
func TestLastGoodVersionIsServed(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	check := func(when string) {
		t.Helper()
		checkView(t, s.View(), h)
		checkRules(t, s.View(), h)
		if s.View().Rules().Problems().Err() == nil {
			t.Errorf("%s: the rules have no problem", when)
		}
	}
	apply(t, s, h.commit(t, flag("a", 1), flag("other", 1)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)), h.commit(t, broken("a")))
	check("at first")
	s = restart(t, s)
	check("from the tail")
	s.rewrite()
	s = restart(t, s)
	check("from the snapshot")
	apply(t, s, h.commit(t, broken("a")), h.commit(t, flag("other", 2)))
	check("after another that does not compile")
	load(t, s, h.snapshot(t))
	s.Synced()
	s = restart(t, s)
	check("after loading a snapshot")

	apply(t, s, h.commit(t, flag("a", 3)))
	checkRules(t, s.View(), h)
	if err := s.View().Rules().Problems().Err(); err != nil {
		t.Errorf("problems of the new version: %v", err)
	}
	if len(s.View().lastGood) > 0 {
		t.Errorf("still kept: %v", s.View().lastGood)
	}
	s.rewrite()
	if _, err := os.Stat(s.disk.path(lastGoodFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

// Two processes' worth of last good versions: the file is newer than the
// snapshot that is used, because that is the previous generation.
func TestLastGoodVersionWithPreviousSnapshot(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)), h.commit(t, broken("a")), h.commit(t, flag("b", 1)))
	s.rewrite()
	_ = s.Close()
	writeFile(t, dir, "prod.snapshot", []byte("damaged"))
	s = restoreStore(t, dir)
	checkView(t, s.View(), h)
	checkRules(t, s.View(), h)
}

func TestDamagedLastGoodFile(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	apply(t, s, h.commit(t, broken("a")))
	s.rewrite()
	_ = s.Close()
	writeFile(t, dir, "prod.last-good", []byte("damaged"))
	s = restoreStore(t, dir)
	checkView(t, s.View(), h)
	if len(s.Problems()) != 1 {
		t.Errorf("problems: %v", s.Problems())
	}
}

// The View takes rules that were prepared for what a change turned out to be, and has their bodies and no second copy.
func TestApplyTakesPreparedRules(t *testing.T) {
	s, h := liveStore(t, "")
	apply(t, s, h.commit(t, flag("a", 1), flag("b", 1)))
	wanted := []document.Document{flag("a", 2), flag("c", 1), {Kind: document.KindFlag, Key: "b"}}
	next := slices.Clone(wanted)
	for i := range next {
		next[i].Revision = s.View().Position().Revision + uint64(i) + 1
	}
	prepared, problems := s.View().Rules().Prepare(next)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	apply(t, s, h.commit(t, wanted...))
	if s.View().Rules() != prepared {
		t.Error("the change was compiled again")
	}
	checkView(t, s.View(), h)
	checkRules(t, s.View(), h)
	a, _ := s.View().Document(document.ID{Kind: document.KindFlag, Key: "a"})
	if &a.Body[0] != &prepared.Flag("a").Document()[0] {
		t.Error("the body of a flag is kept twice")
	}
	runtime.KeepAlive(prepared)
}
