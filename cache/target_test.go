package cache

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

func TestStateOfTheLogIsShownWhenComplete(t *testing.T) {
	s := openStore(t, t.TempDir())
	h, begin := newHistory(t)
	apply(t, s, begin)
	apply(t, s, h.commit(t, flag("a", 1), flag("b", 1)), h.commit(t, deleted("b")))
	if s.View() != nil || s.Source() != SourceEmpty {
		t.Fatalf("View %v from %s before the state is complete", s.View(), s.Source())
	}
	if s.Position() != h.head.Position || s.StateDigest() != h.state.Digest() {
		t.Fatalf("position %v, digest %s, want %v, %s", s.Position(), s.StateDigest(), h.head.Position, h.state.Digest())
	}
	s.Synced()
	if s.Source() != SourceLive {
		t.Errorf("source %s, want live", s.Source())
	}
	checkView(t, s.View(), h)
	checkRules(t, s.View(), h)
}

func TestSyncedWithoutEntriesShowsNothing(t *testing.T) {
	s := openStore(t, "")
	s.Synced()
	if s.View() != nil || s.Source() != SourceEmpty {
		t.Errorf("View %v from %s of a log without entries", s.View(), s.Source())
	}
}

func TestEnvironmentWithoutFlagsIsComplete(t *testing.T) {
	s := openStore(t, "")
	h, begin := newHistory(t)
	apply(t, s, begin)
	s.Synced()
	checkView(t, s.View(), h)
}

func TestApplyRefusesThePast(t *testing.T) {
	s, h := liveStore(t, "")
	first, second := h.commit(t, flag("a", 1)), h.commit(t, flag("a", 2))
	if err := s.Apply([]changelog.Transaction{second, first}); err == nil {
		t.Error("transactions out of order were applied")
	}
	apply(t, s, first, second)
	if err := s.Apply([]changelog.Transaction{second}); err == nil {
		t.Error("a transaction was applied twice")
	}
	checkView(t, s.View(), h)
}

func TestViewDoesNotChange(t *testing.T) {
	s, h := liveStore(t, "")
	apply(t, s, h.commit(t, flag("a", 1)))
	view, then := s.View(), h.fork()
	apply(t, s, h.commit(t, flag("a", 2), flag("b", 2)))
	checkView(t, view, then)
	checkRules(t, view, then)
}

func TestLoadBeforeSyncedWaits(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("old", 1)))
	s = restart(t, s)

	other, _ := newHistory(t)
	other.commit(t, flag("new", 1))
	load(t, s, other.snapshot(t))
	checkView(t, s.View(), h)
	apply(t, s, other.commit(t, flag("new", 2)))
	checkView(t, s.View(), h)
	s.Synced()
	checkView(t, s.View(), other)
	checkRules(t, s.View(), other)
	checkView(t, restart(t, s).View(), other)
}

func TestLoadRefusesAndKeepsWhatThereIs(t *testing.T) {
	s, h := liveStore(t, "")
	apply(t, s, h.commit(t, flag("a", 1)))
	other := h.fork()
	other.commit(t, flag("a", 2))
	good := other.snapshot(t)
	foreign, _ := newHistoryOf(t, "staging", trusttest.Default())

	damaged := bytes.Clone(good)
	damaged[len(damaged)-1]++
	for name, data := range map[string][]byte{"damaged": damaged, "foreign": foreign.snapshot(t)} {
		r, err := changelog.NewSnapshotReader(bytes.NewReader(data), trusttest.Default().Keyring())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(r); err == nil {
			t.Errorf("%s: the snapshot was loaded", name)
		}
		r.Close()
		checkView(t, s.View(), h)
	}
	apply(t, s, h.commit(t, flag("a", 3)))
	checkView(t, s.View(), h)
}

func TestLoadRefusesRepeatedDocument(t *testing.T) {
	h, _ := newHistory(t)
	doc := h.commit(t, flag("a", 1))[0].Document()
	var b bytes.Buffer
	twice := changelog.State{}.Edit()
	twice.Add(doc)
	twice.Add(doc)
	header := h.header() // signed, which no publisher does
	header.Head.State, header.Count = twice.State().Digest(), 2
	header.Head = sign(t, h.keys.Signer(), "prod", header.Head)
	if err := writeSnapshot(&b, header, slices.Values([]document.Document{doc, doc})); err != nil {
		t.Fatal(err)
	}
	if _, err := decodeSnapshot(&b, "prod", trusttest.Default().Keyring()); err == nil || !strings.Contains(err.Error(), "1 documents 2 times") {
		t.Errorf("error %v, want one about the repeated document", err)
	}
}

// Readers see whole transactions: each one here sets two flags to the same
// number, and readers never see them differ, neither as documents nor as rules,
// nor a number that is lower than the one before.
func TestReadersSeeWholeTransactions(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	apply(t, s, h.commit(t, flag("a", 0), flag("b", 0)))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			var last uint64
			for {
				v := s.View()
				a, _ := v.Document(flag("a", 0).ID())
				b, _ := v.Document(flag("b", 0).ID())
				if !bytes.Equal(a.Body, b.Body) {
					t.Errorf("documents %s and %s", a.Body, b.Body)
					return
				}
				if ruleA, ruleB := v.Rules().Flag("a").Document(), v.Rules().Flag("b").Document(); !bytes.Equal(ruleA, ruleB) || !bytes.Equal(ruleA, a.Body) {
					t.Errorf("rules %s and %s, document %s", ruleA, ruleB, a.Body)
					return
				}
				if v.Position().Revision < last {
					t.Errorf("revision %d after %d", v.Position().Revision, last)
					return
				}
				last = v.Position().Revision
				_, _ = s.Source(), s.Problems()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range 300 {
		apply(t, s, h.commit(t, flag("a", n), flag("b", n)))
		if n%100 == 0 {
			s.rewrite()
		}
	}
	close(done)
	readers.Wait()
	checkView(t, s.View(), h)
}

func TestChangedTellsOfEveryView(t *testing.T) {
	s := openStore(t, "")
	changed := func(wait <-chan struct{}) bool {
		select {
		case <-wait:
			return true
		default:
			return false
		}
	}
	wait := s.Changed()
	h, begin := newHistory(t)
	apply(t, s, begin)
	if changed(wait) {
		t.Error("changed before anything is shown")
	}
	s.Synced()
	if !changed(wait) {
		t.Error("the first View was not told")
	}
	wait = s.Changed()
	s.Synced()
	if changed(wait) {
		t.Error("changed without another View")
	}
	apply(t, s, h.commit(t, flag("a", 1)))
	if !changed(wait) {
		t.Error("a change was not told")
	}
	wait = s.Changed()
	load(t, s, h.snapshot(t))
	if !changed(wait) {
		t.Error("another state was not told")
	}
}
