package cache

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// pastStore returns a store that keeps some Views, and the log that it has applied.
func pastStore(t *testing.T, most int) (*Store, *history) {
	t.Helper()
	s, err := New(Options{Environment: "prod", Past: most, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h, begin := newHistory(t)
	apply(t, s, begin)
	s.Synced()
	return s, h
}

// The last revisions can be had, each as it was, whether they came one by one or together.
func TestPastViews(t *testing.T) {
	s, h := pastStore(t, 3)
	var forks []*history
	var tokens []changelog.Token
	step := func(txs ...changelog.Transaction) { apply(t, s, txs...) }
	commit := func(n int) changelog.Transaction {
		tx := h.commit(t, flag("a", n), flag("b", n))
		forks, tokens = append(forks, h.fork()), append(tokens, h.head.Position.Token())
		return tx
	}
	step(commit(1))
	step(commit(2))
	step(commit(3), commit(4), commit(5), commit(6)) // the store catches up
	for i, token := range tokens {
		v := s.At(token)
		if kept := i >= len(tokens)-4; !kept {
			if v != nil {
				t.Errorf("revision %v is kept still", token)
			}
			continue
		}
		checkView(t, v, forks[i])
		checkRules(t, v, forks[i])
	}
	if v := s.At(changelog.Token{Epoch: "0000000a", Revision: h.head.Position.Revision}); v != nil {
		t.Error("a View of another epoch")
	}
	if v := s.At(changelog.Token{Epoch: tokens[0].Epoch, Revision: h.head.Position.Revision + 1}); v != nil {
		t.Error("a View of a revision that does not exist yet")
	}
	load(t, s, h.snapshot(t))
	if v := s.At(tokens[len(tokens)-2]); v != nil {
		t.Error("a View from before everything was replaced")
	}
}

// What past Views are said to take is what they take at least: of many flags of which one changes, and of a segment on which many depend.
func TestPastViewsAreMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
	const flags, changes = 5000, 100
	for name, changed := range map[string]func(n int) document.Document{
		"one flag": func(n int) document.Document { return flag("flag-1", n) },
		"a segment of many": func(n int) document.Document {
			return document.Document{Kind: document.KindSegment, Key: "s", Body: fmt.Appendf(nil, `{"==":[{"var":"x"},%d]}`, n)}
		},
	} {
		grown, said := grownBy(t, 0, flags, changes, changed), 0
		with := grownBy(t, 1000, flags, changes, changed, func(s *Store) { said = s.past.Load().bytes })
		if took := with - grown; took > said {
			t.Errorf("%s: past Views take %d bytes and say %d", name, took, said)
		}
		if said > maxPastBytes {
			t.Errorf("%s: %d bytes are kept", name, said)
		}
	}
}

// grownBy returns by how much the heap grows with changes to a store that keeps past Views, or not.
func grownBy(t *testing.T, most, flags, changes int, changed func(n int) document.Document, then ...func(*Store)) int {
	t.Helper()
	s, h := pastStore(t, most)
	documents := []document.Document{changed(-1)}
	for n := range flags {
		d := flag(fmt.Sprint("flag-", n), 1)
		if n < 300 {
			d.Body = []byte(strings.Replace(string(d.Body), "{", `{"targeting":{"if":[{"$ref":"s"},"v"]},`, 1))
		}
		documents = append(documents, d)
	}
	if documents[0].Kind != document.KindSegment {
		documents = append(documents, document.Document{Kind: document.KindSegment, Key: "s", Body: []byte(`true`)})
	}
	slices.SortFunc(documents, func(a, b document.Document) int { return -strings.Compare(string(a.Kind), string(b.Kind)) })
	for len(documents) > 0 {
		n := min(len(documents), 500)
		apply(t, s, h.commit(t, documents[:n]...))
		documents = documents[n:]
	}
	s.past.Store(new(past))
	before := heap()
	for n := range changes {
		apply(t, s, h.commit(t, changed(n)))
	}
	after := heap()
	for _, f := range then {
		f(s)
	}
	runtime.KeepAlive(h)
	return int(after) - int(before)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What past Views keep in memory is bounded, whatever the size of documents.
func TestPastViewsAreBounded(t *testing.T) {
	s, h := pastStore(t, 1000)
	large := func(n int) document.Document {
		d := flag("a", n)
		d.Body = []byte(strings.Replace(string(d.Body), "{", `{"description":"`+strings.Repeat("x", 400<<10)+`",`, 1))
		return d
	}
	for n := range 20 {
		apply(t, s, h.commit(t, large(n)))
		if kept := s.past.Load(); kept.bytes > maxPastBytes {
			t.Fatalf("%d bytes in %d Views", kept.bytes, len(kept.views))
		}
	}
	if kept := len(s.past.Load().views); kept == 0 || kept > 10 {
		t.Errorf("%d Views are kept", kept)
	}
}
