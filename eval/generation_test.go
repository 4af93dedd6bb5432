package eval

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flagside/flagside/document"
)

// generationsOf returns the generations of some flags.
func generationsOf(r *Ruleset, keys ...string) []uint64 {
	var out []uint64
	for _, key := range keys {
		out = append(out, r.Flag(key).Generation())
	}
	return out
}

// TestGenerationsFollowTheClosure changes one document after the other and looks at which of four flags are of another generation.
func TestGenerationsFollowTheClosure(t *testing.T) {
	keys := []string{"a", "b", "c", "d"}
	r := apply(t, New(),
		segmentDocument("inner", `{"==":[{"var":"x"},1]}`), segmentDocument("outer", `{"!":[{"$ref":"inner"}]}`),
		flagDocument("a", 1, onForEverybody+prerequisites(prerequisite1("b", "on"))),
		flagDocument("b", 1, onForEverybody+prerequisites(prerequisite1("c", "on"))),
		flagDocument("c", 1, `,"targeting":{"if":[{"$ref":"outer"},"on"]}`),
		flagDocument("d", 1, ""))
	seen := map[uint64]bool{}
	note := func(numbers ...uint64) {
		for _, n := range numbers {
			if seen[n] {
				t.Errorf("the generation %d was used before", n)
			}
			seen[n] = true
		}
	}
	note(generationsOf(r, keys...)...)
	for _, step := range []struct {
		change document.Document
		moved  string
		broken bool
	}{
		{flagDocument("d", 2, ""), "d", false},
		{flagDocument("a", 2, onForEverybody+prerequisites(prerequisite1("b", "on"))), "a", false},
		{flagDocument("c", 2, `,"targeting":{"if":[{"$ref":"outer"},"on"]}`), "abc", false},
		{segmentDocument("inner", `{"==":[{"var":"x"},2]}`), "abc", false},
		{segmentDocument("other", `{"==":[1,1]}`), "", false},
		{flagDocument("b", 3, `,"colour":"red"`), "ab", true},
		{flagDocument("c", 4, ""), "abc", true},
		{settingsDocument(`{"metadata":{"m":1}}`), "abcd", true},
	} {
		next, problems := r.Update([]document.Document{step.change})
		if (problems.Err() != nil) != step.broken {
			t.Fatalf("%s: %v", step.change.Key, problems)
		}
		before, after := generationsOf(r, keys...), generationsOf(next, keys...)
		moved := ""
		for i, key := range keys {
			if before[i] != after[i] {
				moved += key
				note(after[i])
			}
		}
		if moved != step.moved {
			t.Errorf("%s %s: moved %q, want %q", step.change.Kind, step.change.Key, moved, step.moved)
		}
		if next.Generation() == r.Generation() {
			t.Error("two sets have one generation")
		}
		r = next
	}
}

func TestGenerationsOfTwoFuturesDiffer(t *testing.T) {
	root := New()
	r := apply(t, root, flagDocument("a", 1, ""))
	one, two := apply(t, r, flagDocument("a", 2, "")), apply(t, r, flagDocument("a", 2, onForEverybody))
	other := apply(t, root, flagDocument("a", 2, ""))
	numbers := []uint64{
		r.Generation(), one.Generation(), two.Generation(), other.Generation(), root.Generation(),
		r.Flag("a").Generation(), one.Flag("a").Generation(), two.Flag("a").Generation(), other.Flag("a").Generation(),
	}
	slices.Sort(numbers)
	if len(slices.Compact(numbers)) != 9 {
		t.Errorf("a number was used twice: %d", numbers)
	}
}

// TestDependantsStayExact changes the dependencies of many flags at random and compares the dependants with those that a search finds.
func TestDependantsStayExact(t *testing.T) {
	g := newGenerator(7)
	r := New()
	for range 300 {
		var changes []document.Document
		for range 1 + g.IntN(4) {
			key := fmt.Sprintf("f%d", g.IntN(12))
			body := onForEverybody
			if g.IntN(2) == 0 {
				body = fmt.Sprintf(`,"targeting":{"if":[{"$ref":"s%d"},"on"]}`, g.IntN(3))
			}
			if n := g.IntN(12); g.IntN(2) == 0 {
				body += prerequisites(prerequisite1(fmt.Sprintf("f%d", n), "on"))
			}
			change := flagDocument(key, 1, body)
			if g.IntN(5) == 0 {
				change = removal(document.KindFlag, key)
			}
			changes = append(changes, change)
		}
		if g.IntN(4) == 0 {
			changes = append(changes, segmentDocument(fmt.Sprintf("s%d", g.IntN(3)), `{"==":[1,1]}`))
		}
		r, _ = r.Update(changes)
		want := map[document.ID][]string{}
		for _, f := range r.Flags() {
			for _, id := range f.requires() {
				want[id] = append(want[id], f.key)
			}
		}
		count := 0
		verify := func(k document.Kind, on *sharded[[]string]) {
			for _, shard := range on.shards {
				for key, keys := range shard {
					count++
					if id := (document.ID{Kind: k, Key: key}); !slices.Equal(keys, want[id]) {
						t.Fatalf("%s: got %q, want %q", id, keys, want[id])
					}
				}
			}
		}
		verify(document.KindFlag, r.dependants.onFlags)
		verify(document.KindSegment, r.dependants.onSegments)
		if count != len(want) {
			t.Fatalf("%d documents have dependants, want %d", count, len(want))
		}
	}
}
