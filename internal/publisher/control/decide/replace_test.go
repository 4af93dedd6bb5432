package decide_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

func replace(t *testing.T, s *statetest.State, wanted []document.Document) decide.Decision {
	t.Helper()
	decision, err := decide.Change(s, decide.Replace{Documents: wanted})
	if err != nil {
		t.Fatal(err)
	}
	s.Apply(t, decision.Parts...)
	if err := s.Holds(wanted); err != nil {
		t.Fatal(err)
	}
	return decision
}

func TestReplaceWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	staff, _ := s.Document(statetest.SegmentID("staff"))
	c, _ := s.Document(statetest.FlagID("c"))
	decision := replace(t, s, []document.Document{
		{Kind: document.KindSegment, Key: "staff", Body: staff.Body},
		statetest.FlagDocument("b", statetest.FlagBody("on", "")),
		statetest.FlagDocument("c", c.Body),
		statetest.FlagDocument("d", statetest.FlagBody("off", "")),
	})
	want := [][]document.Document{{
		{Kind: document.KindFlag, Key: "b", Body: statetest.FlagBody("on", "")},
		{Kind: document.KindFlag, Key: "d", Body: statetest.FlagBody("off", "")},
		{Kind: document.KindFlag, Key: "a"},
	}}
	if diff := cmp.Diff(want, decision.Parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if decision := replace(t, s, slices.Collect(documentsOf(s))); len(decision.Parts) != 0 {
		t.Errorf("repeating a replacement writes %v", decision.Parts)
	}
	replace(t, s, nil)
}

// documentsOf yields the documents of a state as they would be wanted.
func documentsOf(s *statetest.State) func(func(document.Document) bool) {
	return func(yield func(document.Document) bool) {
		for d := range s.Documents() {
			if !yield(document.Document{Kind: d.Kind, Key: d.Key, Body: d.Body}) {
				return
			}
		}
	}
}

func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	f := func(cause decide.Cause, detail string, wanted ...document.Document) {
		t.Helper()
		_, err := decide.Change(statetest.Shop(t), decide.Replace{Documents: wanted})
		refusal, ok := errors.AsType[*decide.Refusal](err)
		if !ok || refusal.Cause != cause || !strings.Contains(refusal.Error(), detail) {
			t.Errorf("got %v, want a refusal for %s: %s", err, cause, detail)
		}
	}
	f(decide.CauseInvalid, `"b"`, statetest.FlagDocument("b", statetest.FlagBody("on", statetest.Requires("gone"))))
	f(decide.CauseMalformed, "two documents", statetest.FlagDocument("a", statetest.FlagBody("on", "")), statetest.FlagDocument("a", statetest.FlagBody("off", "")))
	f(decide.CauseMalformed, "missing", statetest.FlagDocument("a", nil))
	f(decide.CauseMalformed, "empty", statetest.FlagDocument("", statetest.FlagBody("on", "")))
	f(decide.CauseTooLarge, `flag "a"`, statetest.FlagDocument("a", statetest.FlagBody("on", `,"description":"`+strings.Repeat("x", document.MaxSize)+`"`)))
}

// A replacement of more than one transaction is valid after each of them: putting, changing and deleting chains of prerequisites.
func TestReplaceInParts(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	if parts := replace(t, s, statetest.Chain(2500, "on")).Parts; len(parts) != 3 {
		t.Errorf("%d parts, want 3", len(parts))
	}
	replace(t, s, statetest.Chain(2500, "off"))
	replace(t, s, statetest.Chain(1200, "off"))
	replace(t, s, nil)
	if s.Rules().Len() != 0 {
		t.Errorf("%d flags are left", s.Rules().Len())
	}
}

// Flags that require a variant are changed before the flag that loses it, although they come after it in dependency order.
func TestReplaceInPartsTakesWhatStopsDepending(t *testing.T) {
	t.Parallel()
	const n = 1500
	before := []document.Document{statetest.FlagDocument("base", statetest.FlagBody("on", ""))}
	after := []document.Document{statetest.FlagDocument("base", []byte(`{"state":"ENABLED","variants":{"yes":true,"off":false},"defaultVariant":"yes"}`))}
	for i := range n {
		key := fmt.Sprintf("f%04d", i)
		before = append(before, statetest.FlagDocument(key, statetest.FlagBody("on", requiresIf(i == n-1))))
		after = append(after, statetest.FlagDocument(key, statetest.FlagBody("off", "")))
	}
	s := statetest.New()
	s.Put(t, before...)
	replace(t, s, after)
}

func requiresIf(yes bool) string {
	if yes {
		return statetest.Requires("base")
	}
	return ""
}

// More flags than fit into one transaction cannot stop depending on one flag at once.
func TestReplaceEntangled(t *testing.T) {
	t.Parallel()
	const n = changelog.MaxEntries + 1
	before := []document.Document{statetest.FlagDocument("base", statetest.FlagBody("on", ""))}
	after := []document.Document{statetest.FlagDocument("base", []byte(`{"state":"ENABLED","variants":{"yes":true,"off":false},"defaultVariant":"yes"}`))}
	for i := range n {
		key := fmt.Sprintf("f%04d", i)
		before = append(before, statetest.FlagDocument(key, statetest.FlagBody("on", statetest.Requires("base"))))
		after = append(after, statetest.FlagDocument(key, statetest.FlagBody("on", strings.ReplaceAll(statetest.Requires("base"), `["on"]`, `["yes"]`))))
	}
	s := statetest.New()
	s.Put(t, before...)
	_, err := decide.Change(s, decide.Replace{Documents: after})
	if refusal, ok := errors.AsType[*decide.Refusal](err); !ok || refusal.Cause != decide.CauseEntangled || len(refusal.Problems) == 0 {
		t.Errorf("got %v, want a refusal because the change cannot be divided", err)
	}
}

// An environment leaves the tolerance of flagd only when all that needed it is gone, and enters it before.
func TestReplaceInPartsChangesCompatibility(t *testing.T) {
	t.Parallel()
	tolerant := []document.Document{{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)}}
	var strict []document.Document
	for i := range 1100 {
		key := fmt.Sprintf("f%04d", i)
		tolerant = append(tolerant, statetest.FlagDocument(key, statetest.FlagBody("on", `,"targeting":{"no_such_operator":[1]}`)))
		strict = append(strict, statetest.FlagDocument(key, statetest.FlagBody("on", "")))
	}
	s := statetest.New()
	replace(t, s, strict)
	replace(t, s, tolerant)
	replace(t, s, strict)
	replace(t, s, tolerant)
	replace(t, s, nil)
}

// From any valid environment to any other, in parts each of which is valid, or as one that cannot be divided.
func TestReplaceBetweenRandomEnvironments(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	rounds := 4
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 200
	}
	s := statetest.New()
	for round := range rounds {
		wanted := randomEnvironment(random, 1000+random.IntN(1500))
		decision, err := decide.Change(s, decide.Replace{Documents: wanted})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s.Apply(t, decision.Parts...)
		if err := s.Holds(wanted); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// randomEnvironment returns flags that require up to two flags of a lower rank, where the rank of a key is drawn again each time.
func randomEnvironment(random *rand.Rand, n int) []document.Document {
	order := random.Perm(3000)[:n]
	documents := make([]document.Document, n)
	for i, k := range order {
		var on []string
		for range random.IntN(3) {
			if i > 0 {
				on = append(on, fmt.Sprintf("f%d", order[random.IntN(i)]))
			}
		}
		slices.Sort(on)
		documents[i] = statetest.FlagDocument(fmt.Sprintf("f%d", k), statetest.FlagBody([]string{"on", "off"}[random.IntN(2)], statetest.Requires(slices.Compact(on)...)))
	}
	slices.SortFunc(documents, func(a, b document.Document) int { return strings.Compare(a.Key, b.Key) })
	return documents
}
