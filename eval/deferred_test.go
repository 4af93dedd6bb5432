package eval

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// environment makes documents that depend on each other and are often wrong: cycles, missing segments, and members that do not exist.
func (g generator) environment(t *testing.T) []document.Document {
	t.Helper()
	const flags, segments = 14, 3
	var documents []document.Document
	if g.IntN(2) == 0 {
		documents = append(documents, settingsDocument(`{"compatibility":`+g.pick(`""`, `"flagd"`)+`,"metadata":{"m":1}}`))
	}
	for i := range segments {
		if g.IntN(4) > 0 {
			documents = append(documents, segmentDocument(fmt.Sprintf("s%d", i), string(marshal(t, g.rule(2, false)))))
		}
	}
	for i := range flags {
		more := ""
		if g.IntN(4) > 0 {
			more = `,"targeting":{"if":[` + string(marshal(t, g.rule(2, false))) + `,"on",{"$ref":"s` + fmt.Sprint(g.IntN(segments)) + `"},"off"]}`
		}
		if g.IntN(3) == 0 {
			more += g.prerequisites(flags)
		}
		switch g.IntN(12) {
		case 0:
			more += `,"colour":"red"`
		case 1:
			more += `,"exposures":true`
		case 2:
			more += `,"kind":"ops","freshness":"always_fresh"`
		}
		documents = append(documents, flagDocument(fmt.Sprintf("f%02d", i), uint64(i), more))
	}
	g.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
	return documents
}

// prerequisites refers to any of so many flags, in one of the spellings that JSON has.
func (g generator) prerequisites(flags int) string {
	text := prerequisites(prerequisite1(fmt.Sprintf("f%02d", g.IntN(flags)), g.pick("on", "off", "gone")))
	return strings.Replace(text, "prerequisites", g.pick("prerequisites", `prerequisite\u0073`, `\u0070rerequisites`), 1)
}

// TestLoadEqualsUpdate compares what is compiled when it is asked for with what is compiled at once.
func TestLoadEqualsUpdate(t *testing.T) {
	left, redone := 0, 0
	for seed := range uint64(1500) {
		g := newGenerator(seed)
		documents, context := g.environment(t), marshal(t, g.context())
		want, wantProblems := New().Update(documents)
		got, _ := New().Load(documents, map[string]bool{"f03": true})
		if got.Len() != want.Len() {
			t.Fatalf("seed %d: %d flags, not %d", seed, got.Len(), want.Len())
		}
		if !got.Finished() {
			left++
		}
		var early Context // it is decoded before what it is for is compiled
		member := fmt.Appendf(nil, `{"before":{"a":[1]},"context":%s,"after":"é"}`, context)
		if _, err := got.DecodeContextMember(&early, member, "context", nil); seed%2 == 0 || err != nil {
			if err := got.DecodeContext(&early, context); err != nil {
				t.Fatal(err)
			}
		}
		slots := len(early.slots)
		keys := keysOf(want)
		g.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys[:g.IntN(len(keys))] {
			sameAnswer(t, seed, got.Flag(key), want.Flag(key), &early, contextOf(t, want, context))
			if got.FlagBytes([]byte(key)) != got.Flag(key) {
				t.Fatalf("seed %d: %s is two flags", seed, key)
			}
		}
		if len(early.slots) > slots {
			redone++
		}
		if got.Flag("none") != nil {
			t.Fatal("a flag that there is not")
		}
		sameRules(t, seed, got, want, context)
		if diff := cmp.Diff(fatalOf(wantProblems), got.Problems()); diff != "" {
			t.Fatalf("seed %d: problems (-want +got):\n%s", seed, diff)
		}
		change := g.environment(t)[:5]
		next, problems := got.Update(change)
		wantNext, wantProblems := want.Update(change)
		if diff := cmp.Diff(wantProblems, problems); diff != "" {
			t.Fatalf("seed %d: problems of a change (-want +got):\n%s", seed, diff)
		}
		sameRules(t, seed, next, wantNext, context)
	}
	if left < 1000 || redone < 300 {
		t.Errorf("%d rulesets had flags that were not compiled, %d contexts were decoded again", left, redone)
	}
}

// fatalOf returns the problems that keep documents from being used.
func fatalOf(all Problems) (fatal Problems) {
	for _, p := range all {
		if !p.Warning {
			fatal = append(fatal, p)
		}
	}
	return fatal
}

func contextOf(t *testing.T, r *Ruleset, data []byte) *Context {
	t.Helper()
	c := new(Context)
	if err := r.DecodeContext(c, data); err != nil {
		t.Fatal(err)
	}
	return c
}

func sameAnswer(t *testing.T, seed uint64, got, want *Flag, gotContext, wantContext *Context) {
	t.Helper()
	if diff := cmp.Diff(answerOf(want.Evaluate(wantContext, testTime)), answerOf(got.Evaluate(gotContext, testTime))); diff != "" {
		t.Fatalf("seed %d: %s (-want +got):\n%s", seed, want.key, diff)
	}
	if got, want := got.Subject(gotContext), want.Subject(wantContext); got != want {
		t.Fatalf("seed %d: subject %q, want %q", seed, got, want)
	}
}

// sameRules compares all that can be asked of two rulesets.
func sameRules(t *testing.T, seed uint64, got, want *Ruleset, context []byte) {
	t.Helper()
	if diff := cmp.Diff(keysOf(want), keysOf(got)); diff != "" {
		t.Fatalf("seed %d: keys (-want +got):\n%s", seed, diff)
	}
	gotContext, wantContext := contextOf(t, got, context), contextOf(t, want, context)
	for i, f := range want.Flags() {
		other := got.Flags()[i]
		sameAnswer(t, seed, other, f, gotContext, wantContext)
		described := func(f *Flag) string {
			return fmt.Sprint(f.key, f.revision, f.closure, f.urgent, f.broken, f.enabled, f.cost, f.total, f.allowance, f.limit, f.SetID(), f.Usable(), f.Current(), string(f.metadata))
		}
		if diff := cmp.Diff(described(f), described(other)); diff != "" {
			t.Fatalf("seed %d: (-want +got):\n%s", seed, diff)
		}
		if a, b := got.Dependencies(flagID(f.key)), want.Dependencies(flagID(f.key)); !slices.Equal(a, b) {
			t.Fatalf("seed %d: %s depends on %v, want %v", seed, f.key, a, b)
		}
		for _, id := range want.Dependencies(flagID(f.key)) {
			if a, b := got.dependants.of(id), want.dependants.of(id); !slices.Equal(a, b) {
				t.Fatalf("seed %d: on %v depend %v, want %v", seed, id, a, b)
			}
		}
	}
	if diff := cmp.Diff(want.Problems(), got.Problems()); diff != "" {
		t.Fatalf("seed %d: problems (-want +got):\n%s", seed, diff)
	}
}

// TestLoadedFlagsAreSharedByAll asks for flags from several goroutines while another one compiles the rest.
func TestLoadedFlagsAreSharedByAll(t *testing.T) {
	const flags = 300
	documents := manyFlags(flags)
	for i := range documents { // each with an attribute of its own
		documents[i].Body = fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"a%d"},1]},"on"]}}`, i)
	}
	r, problems := New().Load(documents, nil)
	if problems != nil || r.Finished() {
		t.Fatal(problems, r.Finished())
	}
	var seen [4][flags]*Flag
	var all sync.WaitGroup
	for n := range seen {
		all.Go(func() {
			var c Context
			for i := range flags {
				i = (i*7 + n*71) % flags
				if err := r.DecodeContext(&c, fmt.Appendf(nil, `{"a%d":1}`, i)); err != nil {
					t.Error(err)
				}
				f := r.FlagBytes([]byte(documents[i].Key))
				if got := f.Evaluate(&c, testTime); got.Variant == nil || got.Variant.Name() != "on" {
					t.Errorf("%s: %v", f.Key(), got.Variant)
				}
				seen[n][i] = f
			}
		})
	}
	for range 2 {
		all.Go(r.Finish)
	}
	all.Wait()
	if !r.Finished() {
		t.Error("it is not finished")
	}
	for i, d := range documents {
		for n := range seen {
			if seen[n][i] != r.Flag(d.Key) {
				t.Fatalf("%s is not the same flag for all", d.Key)
			}
		}
	}
}

func TestLoadCompilesLittle(t *testing.T) {
	documents := append(manyFlags(100), flagDocument("depends", 1, prerequisites(prerequisite1("flag-000050", "on"))),
		flagDocument("broken", 1, `,"colour":"red"`))
	r, problems := New().Load(documents, map[string]bool{"flag-000070": true})
	if problems != nil {
		t.Error(problems)
	}
	if compiled := r.deferred.Load().early.count; compiled != 3 {
		t.Errorf("%d flags were compiled, want the one with a prerequisite, that, and the one that was asked for", compiled)
	}
	if f := r.Sample(); f == nil {
		t.Error("no sample")
	}
	if r.Finished() {
		t.Error("it is finished")
	}
	if f := r.Flag("broken"); f.Usable() {
		t.Error("a broken flag is usable")
	}
	if got := r.Problems(); len(got) != 1 || got[0].Key != "broken" || !r.Finished() {
		t.Errorf("%v", got)
	}
}

func TestFirstUseAllocatesOnce(t *testing.T) {
	r, _ := New().Load(manyFlags(10), nil)
	key := []byte("flag-000003")
	var c Context
	data := []byte(`{"plan":"pro"}`)
	evaluate := func() {
		if err := r.DecodeContext(&c, data); err != nil {
			t.Fatal(err)
		}
		if got := r.FlagBytes(key).Evaluate(&c, testTime); got.Variant.Name() != "on" {
			t.Fatal(got.Variant.Name())
		}
	}
	evaluate()
	evaluate()
	if n := testing.AllocsPerRun(100, evaluate); n != 0 || r.Finished() {
		t.Errorf("%v allocations, finished: %v", n, r.Finished())
	}
}

func TestMayDepend(t *testing.T) {
	for body, want := range map[string]bool{
		``:                                    false,
		`{}`:                                  false,
		`{"a":"q"}`:                           false,
		`quisites`:                            false,
		`{"prerequisite":[],"q":1}`:           false,
		`{"a":"\u003e\n\\ \""}`:               false,
		`{"prerequisites":[]}`:                true,
		`prerequisites`:                       true,
		`{"q":"prereq","x":"qprerequisites"}`: true,
		`{"\u0070rerequisites":[]}`:           true,
		`{"prerequisite\u0073":[]}`:           true,
		`{"prere\u0071uisites":[]}`:           true,
		`{"a":"\\","pr\u0065requisites":[]}`:  true,
	} {
		if got := mayDepend([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}
