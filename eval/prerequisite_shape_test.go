package eval

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
)

// TestDiamondOfPrerequisites reaches one flag on two ways, which must see the same answer of it, and follow its changes.
func TestDiamondOfPrerequisites(t *testing.T) {
	r := apply(t, New(),
		flagDocument("base", 1, `,"targeting":{"if":[{"==":[{"var":"x"},1]},"on"]}`),
		flagDocument("left", 1, onForEverybody+prerequisites(prerequisite1("base", "on"))),
		flagDocument("right", 1, onForEverybody+prerequisites(prerequisite1("base", "on"))),
		flagDocument("top", 1, onForEverybody+prerequisites(prerequisite1("left", "on"), prerequisite1("right", "on"))))
	wantAnswer(t, r, "top", `{"x":1}`, "TARGETING_MATCH on")
	wantAnswer(t, r, "top", `{"x":2}`, "DEFAULT off")
	got := evaluate(t, r, "top", []byte(`{"x":2}`))
	if !strings.Contains(string(got.Metadata), `"failedPrerequisite":"left"`) {
		t.Errorf("metadata %s", got.Metadata)
	}
	r = apply(t, r, flagDocument("base", 2, `,"targeting":{"if":[{"==":[{"var":"x"},2]},"on"]}`))
	wantAnswer(t, r, "top", `{"x":2}`, "TARGETING_MATCH on")
	wantAnswer(t, r, "top", `{"x":1}`, "DEFAULT off")
	disabled := flagDocument("base", 3, onForEverybody)
	disabled.Body = []byte(strings.Replace(string(disabled.Body), "ENABLED", "DISABLED", 1))
	r = apply(t, r, disabled)
	wantAnswer(t, r, "top", `{"x":1}`, "DEFAULT off")
}

// TestUpdatesEqualLoadingAtOnce applies random changes one by one and compares the answers with those of a set that is made of the last
// documents in one step, as long as nothing is refused.
func TestUpdatesEqualLoadingAtOnce(t *testing.T) {
	compared := 0
	for seed := range uint64(60) {
		g := newGenerator(seed)
		r := New()
		newest := make(map[document.ID]document.Document)
		for step := range 25 {
			d := g.change(t, uint64(step+1))
			next, problems := r.Update([]document.Document{d})
			if problems.Err() != nil {
				continue
			}
			r = next
			newest[d.ID()] = d
			var all []document.Document
			for _, document := range newest {
				all = append(all, document)
			}
			whole := apply(t, New(), all...)
			context := marshal(t, g.context())
			for _, f := range whole.Flags() {
				a, b := evaluate(t, r, f.Key(), context), evaluate(t, whole, f.Key(), context)
				if answerOf(a) != answerOf(b) {
					t.Fatalf("seed %d, step %d, %s: updated %s, loaded %s", seed, step, f.Key(), answerOf(a), answerOf(b))
				}
				compared++
			}
			if r.Len() != whole.Len() {
				t.Fatalf("seed %d: %d flags, not %d", seed, r.Len(), whole.Len())
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d answers were compared", compared)
	}
}

func answerOf(r Result) string {
	name := ""
	if r.Variant != nil {
		name = r.Variant.Name()
	}
	return fmt.Sprintf("%s %s %q %s %s %v %v", r.Reason, r.ErrorCode, name, r.Value(), r.Metadata, r.TimeDependent, r.ValidUntil)
}

// change makes a document, or a removal, of a few flags and segments that depend on each other.
func (g generator) change(t *testing.T, revision uint64) document.Document {
	t.Helper()
	condition := string(marshal(t, map[string]any{"==": []any{g.variable(false), g.literal()}}))
	switch n := g.IntN(10); {
	case n == 0:
		return removal(document.KindFlag, fmt.Sprintf("f%d", g.IntN(5)))
	case n == 1:
		return settingsDocument(fmt.Sprintf(`{"metadata":{"n":%d}}`, revision))
	case n < 4:
		return segmentDocument(g.pick("s0", "s1"), condition)
	}
	i := g.IntN(5)
	more := fmt.Sprintf(`,"targeting":{"if":[%s,"on",{"$ref":"%s"},"off"]}`, condition, g.pick("s0", "s1"))
	if i > 0 && g.IntN(2) == 0 {
		more += prerequisites(prerequisite1(fmt.Sprintf("f%d", g.IntN(i)), g.pick("on", "off")))
	}
	return flagDocument(fmt.Sprintf("f%d", i), revision, more)
}
