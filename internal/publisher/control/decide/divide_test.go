package decide_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

// compiled returns how many flags, and rulesets, are compiled while something is done: each takes one generation.
func compiled(rules *eval.Ruleset, do func()) int {
	generation := func() uint64 {
		next, _ := rules.Update(nil)
		return next.Generation()
	}
	before := generation()
	do()
	return int(generation() - before - 1)
}

// However many parts it has, a change that only adds is compiled once: segments that others use, flags that require some of parts before.
func TestWhatOnlyAddsIsCompiledOnce(t *testing.T) {
	t.Parallel()
	const n = 5*changelog.MaxEntries + 1
	added := statetest.Chain(n-1, "on")
	added = append(added, document.Document{Kind: document.KindSegment, Key: "everyone", Body: []byte(`{"==":[1,1]}`)})
	for name, s := range map[string]*statetest.State{"a new environment": statetest.New(), "one that has flags": statetest.Shop(t)} {
		var decision decide.Decision
		got := compiled(s.Rules(), func() {
			parts, _, err := decide.Divide(s.Rules(), added, decide.Limits{Documents: changelog.MaxEntries})
			if err != nil {
				t.Fatal(err)
			}
			decision.Parts = parts
		})
		if want := n; got != want {
			t.Errorf("%s: %d generations, want one for each flag and one for the rules: %d", name, got, want)
		}
		if len(decision.Parts) != 6 {
			t.Errorf("%s: %d parts, want 6", name, len(decision.Parts))
		}
		s.Apply(t, decision.Parts...)
	}
}

// A part that adds what a flag in place requires in another version, or that takes something away, is compiled: it may not be valid by itself.
func TestWhatChangesIsCompiledForEachPart(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	var changes []document.Document
	for i := range 2500 {
		key := fmt.Sprintf("f%04d", i)
		if i%1000 == 500 {
			s.Put(t, statetest.FlagDocument(key, statetest.FlagBody("on", "")))
		}
		changes = append(changes, statetest.FlagDocument(key, statetest.FlagBody("off", "")))
	}
	got := compiled(s.Rules(), func() {
		parts, _, err := decide.Divide(s.Rules(), changes, decide.Limits{Documents: changelog.MaxEntries})
		if err != nil || len(parts) != 3 {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
		s.Apply(t, parts...)
	})
	const whole, changing, applying = 2500 + 1, 2*1000 + 2, 2500 + 3
	if got != whole+changing+applying {
		t.Errorf("%d generations, want %d", got, whole+changing+applying)
	}
}

// What is added and depends on what changes in a later part is not taken for something that merely adds: no part leads to rules that are not valid.
func TestWhatIsAddedBesideAChangeIsValidInEachPart(t *testing.T) {
	t.Parallel()
	segment := func(key, body string) document.Document {
		return document.Document{Kind: document.KindSegment, Key: key, Body: []byte(body)}
	}
	flag := func(key string, requires ...string) document.Document {
		return statetest.FlagDocument(key, statetest.FlagBody("on", statetest.Requires(requires...)))
	}
	chain := []document.Document{flag("c0000")}
	for i := range 998 { // with two more, one evaluation may not visit all of them
		chain = append(chain, flag(fmt.Sprintf("c%04d", i+1), chain[i].Key))
	}
	last := chain[998].Key
	for name, test := range map[string]struct{ live, changes []document.Document }{
		"a segment of a segment": {
			[]document.Document{segment("z", `{"==":[{"var":"x"},1]}`)},
			[]document.Document{segment("a", `{"or":{"$ref":"z"}}`), segment("b", "true"), segment("z", `[{"var":"x"},{"var":"y"}]`)},
		},
		"a prerequisite of a prerequisite": {
			append(chain, flag("x", last)), []document.Document{flag("a", "x"), flag("b"), flag(last)},
		},
	} {
		s := statetest.New()
		for part := range slices.Chunk(test.live, changelog.MaxEntries) {
			s.Apply(t, part)
		}
		parts, _, err := decide.Divide(s.Rules(), test.changes, decide.Limits{Documents: 2})
		rules := s.Rules()
		for i, part := range parts {
			var problems eval.Problems
			if rules, problems = rules.Update(part); problems.Err() != nil {
				t.Errorf("%s: part %d of %d: %v", name, i, len(parts), problems)
			}
		}
		if err == nil && len(parts) < 2 {
			t.Errorf("%s: nothing was divided", name)
		}
	}
}
