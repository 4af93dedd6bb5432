package eval_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// differences returns what Difference says, in words.
func differences(after, before *eval.Ruleset) []string {
	var said []string
	for old, now := range after.Difference(before) {
		switch {
		case old == nil:
			said = append(said, "+"+now.Key())
		case now == nil:
			said = append(said, "-"+old.Key())
		default:
			said = append(said, "~"+now.Key())
		}
	}
	return said
}

func plainFlag(key string, n int) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Revision: uint64(n), Body: fmt.Appendf(nil,
		`{"state":"ENABLED","variants":{"a":%d},"defaultVariant":"a"}`, n)}
}

func TestDifference(t *testing.T) {
	doc := func(kind document.Kind, key, body string) document.Document {
		return document.Document{Kind: kind, Key: key, Body: []byte(body)}
	}
	base, problems := eval.New().Update([]document.Document{
		doc(document.KindSegment, "staff", `{"==":[{"var":"role"},"staff"]}`),
		plainFlag("plain", 1),
		doc(document.KindFlag, "segmented",
			`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","targeting":{"if":[{"$ref":"staff"},"b",null]}}`),
		doc(document.KindFlag, "dependent",
			`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","prerequisites":[{"flag":"segmented","variants":["b"]}]}`),
	})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		changes []document.Document
		want    []string
	}{
		{"nothing", nil, nil},
		{"one flag", []document.Document{plainFlag("plain", 2)}, []string{"~plain"}},
		{"a new flag", []document.Document{plainFlag("new", 1)}, []string{"+new"}},
		{"a flag less", []document.Document{{Kind: document.KindFlag, Key: "plain"}}, []string{"-plain"}},
		{"a segment", []document.Document{doc(document.KindSegment, "staff", `{"==":[{"var":"role"},"other"]}`)}, []string{"~dependent", "~segmented"}},
		{"metadata of all", []document.Document{doc(document.KindSettings, document.SettingsKey, `{"metadata":{"team":"x"}}`)}, []string{"~dependent", "~plain", "~segmented"}},
	} {
		next, _ := base.Update(test.changes)
		if diff := cmp.Diff(test.want, differences(next, base)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if diff := cmp.Diff([]string{"+dependent", "+plain", "+segmented"}, differences(base, nil)); diff != "" {
		t.Errorf("against nothing (-want +got):\n%s", diff)
	}
}

// TestDifferenceOfLargeSets compares with what comparing flag by flag finds.
func TestDifferenceOfLargeSets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	rules := eval.New()
	for step := range 40 {
		before := rules
		var changes []document.Document
		for range 1 + random.IntN(1<<random.IntN(12)) {
			change := plainFlag(fmt.Sprintf("flag-%04d", random.IntN(3000)), step+1)
			if random.IntN(3) == 0 {
				change.Body = nil
			}
			changes = append(changes, change)
		}
		rules, _ = rules.Update(changes)
		if step%3 == 0 { // over several updates
			rules, _ = rules.Update([]document.Document{plainFlag(fmt.Sprintf("flag-%04d", random.IntN(3000)), step+1)})
		}
		if diff := cmp.Diff(compareAll(rules, before), differences(rules, before)); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", step, diff)
		}
	}
}

func compareAll(after, before *eval.Ruleset) []string {
	var said []string
	for i := range 3000 {
		key := fmt.Sprintf("flag-%04d", i)
		switch old, now := before.Flag(key), after.Flag(key); {
		case old == nil && now == nil:
		case old == nil:
			said = append(said, "+"+key)
		case now == nil:
			said = append(said, "-"+key)
		case old.Generation() != now.Generation():
			said = append(said, "~"+key)
		}
	}
	return said
}

func BenchmarkDifference(b *testing.B) {
	var documents []document.Document
	for i := range 100_000 {
		documents = append(documents, plainFlag(fmt.Sprintf("flag-%06d", i), 1))
	}
	before, _ := eval.New().Update(documents)
	after, _ := before.Update([]document.Document{plainFlag("flag-050000", 2)})
	b.ReportAllocs()
	for b.Loop() {
		if n := len(differences(after, before)); n != 1 {
			b.Fatal(n)
		}
	}
}
