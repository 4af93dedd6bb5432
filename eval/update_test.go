package eval

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// flagDocument is a flag with the variants on and off, the default off, and more members.
func flagDocument(key string, revision uint64, more string) document.Document {
	body := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"` + more + `}`
	return document.Document{Kind: document.KindFlag, Key: key, Revision: revision, Body: []byte(body)}
}

func segmentDocument(key, rule string) document.Document {
	return document.Document{Kind: document.KindSegment, Key: key, Revision: 1, Body: []byte(rule)}
}

func settingsDocument(body string) document.Document {
	return document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Revision: 1, Body: []byte(body)}
}

// answeringDocument is a flag with a variant of every type that a rule may answer with.
func answeringDocument(key, rule string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Revision: 1, Body: []byte(`{"state":"ENABLED","defaultVariant":"off","variants":{"on":1,"off":2,"true":3,` +
		`"false":4,"0":5,"[]":6,"{}":7},"targeting":` + rule + `}`)}
}

func removal(k document.Kind, key string) document.Document {
	return document.Document{Kind: k, Key: key}
}

// apply updates r and fails the test on problems that are not warnings.
func apply(t testing.TB, r *Ruleset, changes ...document.Document) *Ruleset {
	t.Helper()
	next, problems := r.Update(changes)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return next
}

// refused updates r and returns the reasons of the problems that are not warnings.
func refused(t *testing.T, r *Ruleset, changes ...document.Document) (next *Ruleset, reasons []string) {
	t.Helper()
	next, problems := r.Update(changes)
	for _, p := range problems {
		if !p.Warning {
			reasons = append(reasons, p.Key+p.Pointer+": "+p.Reason)
		}
	}
	if len(reasons) == 0 {
		t.Fatal("the update was not refused")
	}
	return next, reasons
}

// answer evaluates a flag and returns reason, error code and variant as one string.
func answer(t testing.TB, r *Ruleset, key, context string) string {
	t.Helper()
	got := evaluate(t, r, key, []byte(context))
	parts := []string{string(got.Reason)}
	if got.ErrorCode != "" {
		parts = append(parts, string(got.ErrorCode))
	}
	if got.Variant != nil {
		parts = append(parts, got.Variant.Name())
	}
	return strings.Join(parts, " ")
}

func wantAnswer(t testing.TB, r *Ruleset, key, context, want string) {
	t.Helper()
	if got := answer(t, r, key, context); got != want {
		t.Errorf("%s %s: got %s, want %s", key, context, got, want)
	}
}

const onForEverybody = `,"targeting":{"if":[true,"on"]}`

func TestUpdateLeavesTheOldRulesetAlone(t *testing.T) {
	old := apply(t, New(), flagDocument("a", 1, ""), flagDocument("b", 2, ""))
	next := apply(t, old, flagDocument("a", 3, onForEverybody), removal(document.KindFlag, "b"), flagDocument("c", 4, ""))

	wantAnswer(t, old, "a", "", "STATIC off")
	wantAnswer(t, next, "a", "", "TARGETING_MATCH on")
	if next.Flag("b") != nil || old.Flag("b") == nil || old.Flag("c") != nil {
		t.Error("an update must change only the new set")
	}
	if diff := cmp.Diff([]string{"a", "c"}, keysOf(next)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, keysOf(old)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if next.Len() != 2 || next.Flag("a").Revision() != 3 || next.FlagBytes([]byte("c")).Revision() != 4 {
		t.Errorf("length %d, revisions %d and %d", next.Len(), next.Flag("a").Revision(), next.Flag("c").Revision())
	}
}

func keysOf(r *Ruleset) []string {
	var keys []string
	for _, f := range r.Flags() {
		keys = append(keys, f.Key())
	}
	return keys
}

func TestBrokenDocumentKeepsTheLastGoodVersion(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, onForEverybody))
	r, reasons := refused(t, r, flagDocument("a", 2, `,"targeting":{"nope":[]}`))
	if diff := cmp.Diff([]string{`a/targeting: the operator "nope" does not exist`}, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
	if got := r.Flag("a").Revision(); got != 1 {
		t.Errorf("revision %d, want that of the version in use", got)
	}
	if len(r.Problems()) != 1 {
		t.Errorf("standing problems: %v", r.Problems())
	}
	r = apply(t, r, flagDocument("b", 3, ""))
	if len(r.Problems()) != 1 {
		t.Errorf("an unrelated update must leave the standing problem: %v", r.Problems())
	}
	r = apply(t, r, flagDocument("a", 4, ""))
	wantAnswer(t, r, "a", "", "STATIC off")
	if len(r.Problems()) != 0 {
		t.Errorf("standing problems after the repair: %v", r.Problems())
	}
}

func TestDocumentThatWasNeverGoodAnswersErrors(t *testing.T) {
	for _, body := range []string{`{`, `5`, `{"state":"ENABLED"}`, `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"nope"}`} {
		r, _ := refused(t, New(), document.Document{Kind: document.KindFlag, Key: "a", Revision: 7, Body: []byte(body)})
		wantAnswer(t, r, "a", "", "ERROR PARSE_ERROR")
		got := r.Flag("a").Evaluate(nil, testTime)
		if got.Detail == "" || string(got.Metadata) != `{"version":7}` || string(r.Flag("a").Document()) != body {
			t.Errorf("%s: detail %q, metadata %s", body, got.Detail, got.Metadata)
		}
		r = apply(t, r, removal(document.KindFlag, "a"))
		if r.Len() != 0 || len(r.Problems()) != 0 {
			t.Errorf("%s: %d flags and problems %v after the removal", body, r.Len(), r.Problems())
		}
	}
}

func TestSegmentChangesReachTheirDependants(t *testing.T) {
	const rule = `,"targeting":{"if":[{"$ref":"outer"},"on"]}`
	r := apply(t, New(),
		flagDocument("a", 1, rule),
		segmentDocument("outer", `{"!":[{"$ref":"inner"}]}`),
		segmentDocument("inner", `{"==":[{"var":"x"},1]}`),
		flagDocument("b", 2, ""))
	wantAnswer(t, r, "a", `{"x":1}`, "DEFAULT off")
	b := r.Flag("b")
	r = apply(t, r, segmentDocument("inner", `{"==":[{"var":"x"},2]}`))
	wantAnswer(t, r, "a", `{"x":1}`, "TARGETING_MATCH on")
	if r.Flag("b") != b {
		t.Error("a flag that does not depend on the segment was compiled again")
	}
}

func TestBrokenSegmentKeepsTheLastGoodVersion(t *testing.T) {
	const rule = `,"targeting":{"if":[{"$ref":"s"},"on"]}`
	r := apply(t, New(), segmentDocument("s", `{"==":[{"var":"x"},1]}`), flagDocument("a", 1, rule))
	for _, broken := range []document.Document{
		segmentDocument("s", `{"nope":[]}`),
		segmentDocument("s", `{"!":[{"$ref":"s"}]}`),
		segmentDocument("s", `{`),
		removal(document.KindSegment, "s"),
	} {
		next, _ := refused(t, r, broken)
		wantAnswer(t, next, "a", `{"x":1}`, "TARGETING_MATCH on")
		next = apply(t, next, segmentDocument("s", `{"==":[{"var":"x"},2]}`))
		wantAnswer(t, next, "a", `{"x":2}`, "TARGETING_MATCH on")
		wantAnswer(t, next, "a", `{"x":1}`, "DEFAULT off")
		if len(next.Problems()) != 0 {
			t.Errorf("standing problems after the repair: %v", next.Problems())
		}
	}
}

func TestSegmentThatArrivesLaterRepairsItsDependants(t *testing.T) {
	r, _ := refused(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"$ref":"s"},"on"]}`))
	wantAnswer(t, r, "a", "", "ERROR PARSE_ERROR")
	r = apply(t, r, segmentDocument("s", `{"==":[1,1]}`))
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
}

func TestCyclicSegmentsAreRefused(t *testing.T) {
	documents := []document.Document{segmentDocument("x", `{"!":[{"$ref":"y"}]}`), segmentDocument("y", `{"!":[{"$ref":"x"}]}`)}
	for _, order := range [][]document.Document{documents, {documents[1], documents[0]}} {
		_, reasons := refused(t, New(), order...)
		if !slices.ContainsFunc(reasons, func(s string) bool { return strings.Contains(s, "x -> y -> x") }) {
			t.Errorf("no cycle in %q", reasons)
		}
	}
}

func prerequisite1(key string, variants ...string) string {
	return fmt.Sprintf(`{"flag":%q,"variants":["%s"]}`, key, strings.Join(variants, `","`))
}

func prerequisites(list ...string) string {
	return `,"prerequisites":[` + strings.Join(list, ",") + `]`
}

func TestPrerequisitesDoNotDependOnOrder(t *testing.T) {
	documents := []document.Document{
		flagDocument("a", 1, onForEverybody+prerequisites(prerequisite1("b", "on"))),
		flagDocument("b", 1, onForEverybody+prerequisites(prerequisite1("c", "on"))),
		flagDocument("c", 1, onForEverybody),
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		r := apply(t, New(), documents[order[0]], documents[order[1]], documents[order[2]])
		wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
		r = apply(t, r, flagDocument("c", 2, ""))
		wantAnswer(t, r, "a", "", "DEFAULT off")
	}
}

func TestPrerequisiteProblems(t *testing.T) {
	tests := map[string]struct {
		changes []document.Document
		want    []string
	}{
		"missing flag": {
			[]document.Document{flagDocument("a", 1, prerequisites(prerequisite1("b", "on")))},
			[]string{`a/prerequisites/0: the flag "b" does not exist`},
		},
		"missing variant": {
			[]document.Document{flagDocument("a", 1, prerequisites(prerequisite1("b", "on", "maybe"))), flagDocument("b", 1, "")},
			[]string{`a/prerequisites/0: the flag "b" has no variant "maybe"`},
		},
		"contradiction": {
			[]document.Document{flagDocument("a", 1, prerequisites(prerequisite1("b", "on"), prerequisite1("b", "on", "off"), prerequisite1("b", "off"))), flagDocument("b", 1, "")},
			[]string{`a/prerequisites/2: no variant of the flag "b" meets this prerequisite and those before it`},
		},
		"itself": {
			[]document.Document{flagDocument("a", 1, prerequisites(prerequisite1("a", "on")))},
			[]string{`a/prerequisites/0: the prerequisites form a cycle: a -> a`},
		},
		"cycle": {
			[]document.Document{
				flagDocument("a", 1, prerequisites(prerequisite1("b", "on"))),
				flagDocument("b", 1, prerequisites(prerequisite1("c", "on"))),
				flagDocument("c", 1, prerequisites(prerequisite1("a", "on"))),
			},
			[]string{
				`a/prerequisites/0: the prerequisites form a cycle: a -> b -> c -> a`,
				`b/prerequisites/0: the prerequisites form a cycle: b -> c -> a -> b`,
				`c/prerequisites/0: the prerequisites form a cycle: c -> a -> b -> c`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, reasons := refused(t, New(), test.changes...)
			if diff := cmp.Diff(test.want, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			wantAnswer(t, r, "a", "", "ERROR PARSE_ERROR")
		})
	}
}

func TestCycleThatAnUpdateClosesIsRefused(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, onForEverybody+prerequisites(prerequisite1("b", "on"))), flagDocument("b", 1, onForEverybody))
	r, _ = refused(t, r, flagDocument("b", 2, prerequisites(prerequisite1("a", "on"))))
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
	wantAnswer(t, r, "b", "", "TARGETING_MATCH on")
	r = apply(t, r, flagDocument("b", 3, ""))
	wantAnswer(t, r, "a", "", "DEFAULT off")
}

func TestRemovedPrerequisiteKeepsTheLastGoodVersion(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, onForEverybody+prerequisites(prerequisite1("b", "on"))), flagDocument("b", 1, onForEverybody))
	r, _ = refused(t, r, removal(document.KindFlag, "b"))
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
	if r.Flag("b") != nil {
		t.Error("the flag was not removed")
	}
	r = apply(t, r, flagDocument("b", 3, ""))
	wantAnswer(t, r, "a", "", "DEFAULT off")
}

func TestPrerequisiteOnABrokenFlagIsNeverMet(t *testing.T) {
	broken := flagDocument("b", 1, `,"targeting":{"nope":[]}`)
	r, reasons := refused(t, New(), flagDocument("a", 1, onForEverybody+prerequisites(prerequisite1("b", "on"))), broken)
	if len(reasons) != 1 {
		t.Errorf("reasons %q, want only that of the broken flag", reasons)
	}
	wantAnswer(t, r, "a", "", "DEFAULT off")
}

func TestKeptVersionFollowsItsPrerequisites(t *testing.T) {
	a := onForEverybody + prerequisites(prerequisite1("b", "on"))
	r := apply(t, New(), flagDocument("a", 1, a), flagDocument("b", 1, onForEverybody))
	r, _ = refused(t, r, flagDocument("a", 2, a+`,"colour":"red"`))
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
	r, _ = refused(t, r, flagDocument("b", 3, ""))
	wantAnswer(t, r, "a", "", "DEFAULT off")
	r = apply(t, r, flagDocument("a", 4, onForEverybody))
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
}

func TestRejectedSegmentIsCompiledWhenItCanBe(t *testing.T) {
	r := apply(t, New(), segmentDocument("outer", `{"==":[1,2]}`), flagDocument("a", 1, `,"targeting":{"if":[{"$ref":"outer"},"on"]}`))
	r, _ = refused(t, r, segmentDocument("outer", `{"!":[{"$ref":"inner"}]}`))
	wantAnswer(t, r, "a", "", "DEFAULT off")
	r = apply(t, r, segmentDocument("inner", `{"==":[1,2]}`))
	wantAnswer(t, r, "a", "", "TARGETING_MATCH on")
	if len(r.Problems()) != 0 {
		t.Errorf("standing problems: %v", r.Problems())
	}
}

func TestUpdateDoesNotGrowThePublishedAttributes(t *testing.T) {
	old := apply(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"==":[{"var":"x"},1]},"on"]}`))
	next := apply(t, old, flagDocument("b", 2, `,"targeting":{"if":[{"==":[{"var":"y"},1]},"on"]}`))
	if old.attributes.slots != 1 || old.attributes.lookup([]string{"y"}) != noSlot || next.attributes.slots != 2 {
		t.Errorf("%d slots before, %d after", old.attributes.slots, next.attributes.slots)
	}
	wantAnswer(t, next, "a", `{"x":1}`, "TARGETING_MATCH on")
	wantAnswer(t, next, "b", `{"y":1}`, "TARGETING_MATCH on")
}

func TestTooManyEvaluationsAreRefused(t *testing.T) {
	documents := []document.Document{flagDocument("f0", 1, "")}
	for i := 1; i < 12; i++ {
		on := prerequisite1(fmt.Sprintf("f%d", i-1), "on")
		documents = append(documents, flagDocument(fmt.Sprintf("f%d", i), 1, prerequisites(on, on)))
	}
	_, reasons := refused(t, New(), documents...)
	if !strings.Contains(reasons[0], "more than 1000 flags") {
		t.Errorf("reasons %q", reasons)
	}
}

func TestSettings(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, `,"metadata":{"x":1}`), settingsDocument(`{"metadata":{"flagSetId":"s","x":2}}`))
	if got := string(r.Flag("a").Metadata()); got != `{"flagSetId":"s","version":1,"x":1}` || r.Flag("a").SetID() != "s" {
		t.Errorf("metadata %s, set %q", got, r.Flag("a").SetID())
	}
	r = apply(t, r, settingsDocument(`{"compatibility":"flagd"}`))
	if got := string(r.Flag("a").Metadata()); got != `{"x":1}` || r.Compatibility() != CompatibilityFlagd || r.Flag("a").SetID() != "" {
		t.Errorf("metadata %s, compatibility %q", got, r.Compatibility())
	}
	for _, body := range []string{`{"compatibility":"other"}`, `{"metadata":{"a":{}}}`, `{"color":1}`, `5`, `{`} {
		next, _ := refused(t, r, settingsDocument(body))
		if next.Compatibility() != CompatibilityFlagd {
			t.Errorf("%s: the last good settings were lost", body)
		}
	}
	r = apply(t, r, removal(document.KindSettings, document.SettingsKey))
	if r.Compatibility() != "" {
		t.Errorf("compatibility %q after the settings were removed", r.Compatibility())
	}
	if _, reasons := refused(t, r, document.Document{Kind: document.KindSettings, Key: "other", Body: []byte("{}")}, document.Document{Kind: "color", Key: "red"}); len(reasons) != 2 {
		t.Errorf("reasons %q", reasons)
	}
	apply(t, r, document.Document{Kind: document.KindKeys, Key: document.KeysKey, Body: []byte(`"note"`)}) // which says nothing of flags
}

func TestWarningsDoNotHideProblems(t *testing.T) {
	warnings := strings.Repeat(`{"==":[1,1,1]},`, 500)
	r, reasons := refused(t, New(), flagDocument("a", 1, `,"targeting":{"if":[{"and":[`+warnings+`{"nope":[]}]},"on"]}`))
	if len(reasons) != 1 {
		t.Errorf("reasons %q", reasons)
	}
	wantAnswer(t, r, "a", "", "ERROR PARSE_ERROR")
}

func TestSameSettingsCompileNothing(t *testing.T) {
	r := apply(t, New(), settingsDocument(`{"metadata":{"x":1}}`), flagDocument("a", 1, ""))
	if next := apply(t, r, settingsDocument(`{"metadata":{"x":1}}`)); next.Flag("a") != r.Flag("a") {
		t.Error("a flag was compiled again")
	}
}

func TestProblemNamesItsPlace(t *testing.T) {
	p := Problem{Kind: document.KindFlag, Key: "a", Pointer: "/state", Reason: "wrong", Hint: "right", Line: 3, Column: 7}
	if got, want := p.Error(), `line 3, column 7: flag "a" at /state: wrong (right)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	warnings := Problems{{Reason: "slip", Warning: true}}
	if err := warnings.Err(); err != nil {
		t.Errorf("warnings are no error: %v", err)
	}
	if err := append(warnings, p).Err(); err == nil || strings.Contains(err.Error(), "slip") {
		t.Errorf("got %v", err)
	}
}

func TestOwnMembers(t *testing.T) {
	r := apply(t, New(), flagDocument("a", 1, `,"freshness":"always_fresh","refreshAfter":"5s","maxStaleness":"3s","onUnreachable":"error","owner":"shop",`+
		`"kind":"release","expires":"2030-01-31","tags":["x"],"description":"d","x-own":{"any":1},"$schema":"s"`), flagDocument("b", 1, ""))
	a, b := r.Flag("a"), r.Flag("b")
	if a.Freshness() != FreshnessAlwaysFresh || a.RefreshAfter().Seconds() != 5 || a.MaxStaleness().Seconds() != 3 || a.OnUnreachable() != OnUnreachableError {
		t.Errorf("got %s %s %s %s", a.Freshness(), a.RefreshAfter(), a.MaxStaleness(), a.OnUnreachable())
	}
	if b.Freshness() != FreshnessCacheFirst || b.RefreshAfter() != 0 || b.MaxStaleness() != 0 || b.OnUnreachable() != OnUnreachableServeStale {
		t.Errorf("defaults: got %s %s %s %s", b.Freshness(), b.RefreshAfter(), b.MaxStaleness(), b.OnUnreachable())
	}
	if a.DefaultVariant().Name() != "off" || string(a.DefaultVariant().NameEncoded()) != `"off"` || string(a.DefaultVariant().Encoded()) != "false" {
		t.Errorf("default variant %+v", a.DefaultVariant())
	}
}

func TestSaltReplacesTheKey(t *testing.T) {
	const rule = `,"targeting":{"fractional":[["on",1],["off",1]]}`
	r := apply(t, New(), flagDocument("a", 1, rule), flagDocument("b", 1, rule+`,"salt":"a"`), flagDocument("c", 1, rule))
	same, different := 0, 0
	for i := range 100 {
		context := fmt.Sprintf(`{"targetingKey":"user-%d"}`, i)
		if answer(t, r, "a", context) == answer(t, r, "b", context) {
			same++
		}
		if answer(t, r, "a", context) != answer(t, r, "c", context) {
			different++
		}
	}
	if same != 100 || different == 0 {
		t.Errorf("%d of 100 equal with the salt, %d different without", same, different)
	}
}

// TestUpdateOfManyFlags replaces, adds and removes flags one by one and compares order and lookups with a map.
func TestUpdateOfManyFlags(t *testing.T) {
	var documents []document.Document
	want := make(map[string]uint64)
	for i := range 3000 {
		key := fmt.Sprintf("flag-%05d", i*7919%3000)
		documents = append(documents, flagDocument(key, 1, ""))
		want[key] = 1
	}
	r := apply(t, New(), documents...)
	for i := range 600 {
		key := fmt.Sprintf("flag-%05d", i*31%3600)
		if i%3 == 0 {
			r = apply(t, r, removal(document.KindFlag, key))
			delete(want, key)
			continue
		}
		r = apply(t, r, flagDocument(key, uint64(i+2), ""))
		want[key] = uint64(i + 2)
	}
	got := make(map[string]uint64)
	for _, f := range r.Flags() {
		got[f.Key()] = f.Revision()
		if r.Flag(f.Key()) != f || r.FlagBytes([]byte(f.Key())) != f {
			t.Fatalf("%s: lookup and list differ", f.Key())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Len() != len(want) || !slices.IsSortedFunc(r.Flags(), compareFlags) {
		t.Errorf("length %d, flags (-want +got):\n%s", r.Len(), diff)
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, reasons := refused(t, New(), flagDocument("b", 1, prerequisites(prerequisite1("a", "on"))), flagDocument("a", 1,
		`,"targeting":{"if":[{"nope":[]},{"fractional":[["on",0.5]]}]},"expires":"soon","colour":"red"`+
			prerequisites(prerequisite1("missing", "on"), prerequisite1("b", "on"), prerequisite1("b", "maybe"))))
	want := []string{
		`a/colour: the member "colour" is not known`,
		`a/expires: expires must be a date or a time`,
		`a/prerequisites/0: the flag "missing" does not exist`,
		`a/prerequisites/1: the prerequisites form a cycle: a -> b -> a`,
		`a/prerequisites/2: no variant of the flag "b" meets this prerequisite and those before it`,
		`a/targeting/if/0: the operator "nope" does not exist`,
		`a/targeting/if/1/fractional/0/1: a weight must be a whole number, not 0.5`,
		`b/prerequisites/0: the prerequisites form a cycle: b -> a -> b`,
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
