package source_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/internal/publisher/source"
)

func flag(key, more string) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: fmt.Appendf(nil,
		`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"%s}`, more)}
}

func segment(key, rule string) document.Document {
	return document.Document{Kind: document.KindSegment, Key: key, Body: []byte(rule)}
}

func options(owner string) source.Options {
	return source.Options{Owner: owner, MaxDocuments: 1000, MaxBytes: 480 << 10}
}

// newPlan compiles the live documents and plans.
func newPlan(live, wanted []document.Document, o source.Options) (source.Plan, error) {
	o.Rules, _ = eval.New().Update(live)
	return source.New(live, wanted, o)
}

func live(s *statetest.State) []document.Document { return slices.Collect(s.Documents()) }

func plan(t *testing.T, s *statetest.State, wanted []document.Document, o source.Options) source.Plan {
	t.Helper()
	p, err := newPlan(live(s), wanted, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// carryOut writes the transactions of a plan, each of which must leave valid rules.
func carryOut(t *testing.T, s *statetest.State, p source.Plan) {
	t.Helper()
	for _, part := range p.Parts {
		var documents []document.Document
		for _, c := range part {
			if now, _ := s.Document(c.ID); now.Revision != c.Base {
				t.Errorf("%s is planned from revision %d and has %d", c.ID, c.Base, now.Revision)
			}
			documents = append(documents, document.Document{Kind: c.Kind, Key: c.Key, Body: c.After})
		}
		s.Apply(t, documents)
	}
}

func done(p source.Plan) (list []string) {
	for _, c := range p.Changes() {
		list = append(list, fmt.Sprintf("%s %s", c.Done(), c.ID))
	}
	return list
}

func TestPlanOwnsWhatItNames(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	s.Apply(t, []document.Document{flag("hand", ""), segment("staff", `{"in":[{"var":"email"},["a"]]}`)})
	wanted := []document.Document{
		segment("staff", `{"in":[{"var":"email"},["a"]]}`), segment("new", `{"$ref":"staff"}`),
		flag("needs", `,"prerequisites":[{"flag":"z","variants":["on"]}],"targeting":{"if":[{"$ref":"new"},"on"]}`), flag("z", ""),
	}
	p := plan(t, s, wanted, options("shop"))
	want := []string{"added segment/new", "changed segment/staff", "added flag/z", "added flag/needs"}
	if got := done(p); !slices.Equal(got, want) {
		t.Errorf("the plan is %q, want %q", got, want)
	}
	if c := p.Changes()[1]; !c.Adopts() || p.Changes()[0].Adopts() {
		t.Errorf("%s of the person is not adopted", c.ID)
	}
	carryOut(t, s, p)
	if again := plan(t, s, wanted, options("shop")); len(again.Parts) > 0 || again.Unchanged != 4 {
		t.Errorf("the second plan is %q, with %d unchanged", done(again), again.Unchanged)
	}
	// Another order of members and other white space say the same.
	same := []document.Document{{Kind: document.KindFlag, Key: "z", Body: []byte(`{"variants":{"off":false,"on":true},"defaultVariant":"off","state":"ENABLED"}`)}}
	if again := plan(t, s, same, options("shop")); len(again.Parts) > 0 {
		t.Errorf("another order of members is %q", done(again))
	}
	conflicting := plan(t, s, []document.Document{flag("z", `,"owner":"x"`), flag("other", "")}, options("other"))
	if len(conflicting.Parts) > 0 || len(conflicting.Conflicts) != 1 || conflicting.Conflicts[0].Owner != "shop" || conflicting.Conflicts[0].Key != "z" {
		t.Errorf("the conflict is %+v", conflicting)
	}
	o := options("other")
	o.TakeOver = true
	if taken := plan(t, s, []document.Document{flag("z", "")}, o); len(taken.Changes()) != 1 || ownership.Owner(taken.Changes()[0].After) != "other" {
		t.Errorf("taking over is %q", done(taken))
	}
	o = options("shop")
	o.Prune = true
	p = plan(t, s, wanted[:1], o)
	want = []string{"deleted flag/needs", "deleted flag/z", "deleted segment/new"}
	if got := done(p); !slices.Equal(got, want) || len(p.Deletions()) != 3 {
		t.Errorf("pruning is %q, want %q", got, want)
	}
	carryOut(t, s, p)
	if _, there := s.Document(document.ID{Kind: document.KindFlag, Key: "hand"}); !there {
		t.Error("what no source owns was pruned")
	}
}

// A source says nothing of settings but the metadata, and shares it with others that say the same.
func TestPlanOfSettings(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	settings := func(body string) []document.Document {
		return []document.Document{{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(body)}}
	}
	s.Apply(t, settings(`{"compatibility":"flagd","x-note":1}`))
	if p := plan(t, s, settings(`{"compatibility":"flagd"}`), options("a")); len(p.Parts) > 0 {
		t.Errorf("without metadata the plan is %q", done(p))
	}
	wanted := settings(`{"metadata":{"flagSetId":"shop"},"compatibility":"flagd"}`)
	p := plan(t, s, wanted, options("a"))
	if got, want := string(p.Changes()[0].After), `{"metadata":{"flagSetId":"shop"},"compatibility":"flagd","x-note":1,"$source":"a"}`; got != want {
		t.Errorf("the settings become %s, want %s", got, want)
	}
	carryOut(t, s, p)
	if p := plan(t, s, wanted, options("b")); len(p.Parts) > 0 || len(p.Conflicts) > 0 {
		t.Errorf("the same metadata of another source is %+v", p)
	}
	if p := plan(t, s, settings(`{"metadata":{"flagSetId":"other"}}`), options("b")); len(p.Conflicts) != 1 {
		t.Errorf("other metadata of another source is %+v", p)
	}
}

// Whatever is live and whatever is wanted: what a plan says is what happens, step by step valid, and then there is nothing left to do.
func TestPlanIsWhatHappens(t *testing.T) {
	t.Parallel()
	for seed := range 300 {
		random := rand.New(rand.NewPCG(uint64(seed), 1)) // #nosec G404 -- a test
		s := statetest.New()
		owners := []string{"", "shop", "other"}
		marked := randomSet(random)
		for i := range marked {
			marked[i].Body = ownership.Marked(marked[i].Body, owners[random.IntN(3)])
		}
		s.Apply(t, marked)
		before := live(s)
		o := options("shop")
		o.Prune, o.TakeOver, o.MaxDocuments, o.MaxBytes = random.IntN(2) == 0, true, 1+random.IntN(6), 300+random.IntN(2000)
		wanted := randomSet(random)
		p, err := newPlan(live(s), wanted, o)
		if err != nil {
			continue // what it prunes others need
		}
		carryOut(t, s, p)
		touched := make(map[document.ID]source.Change)
		for _, c := range p.Changes() {
			touched[c.ID] = c
		}
		for _, d := range before {
			if now, there := s.Document(d.ID()); touched[d.ID()].Key == "" && (!there || now.Revision != d.Revision) {
				t.Errorf("seed %d: %s was touched and is not in the plan", seed, d.ID())
			}
		}
		for _, d := range wanted {
			now, _ := s.Document(d.ID())
			if !source.Same(ownership.Unmarked(now.Body), d.Body) || ownership.Owner(now.Body) != "shop" {
				t.Errorf("seed %d: %s is %s, wanted is %s", seed, d.ID(), now.Body, d.Body)
			}
		}
		if again := plan(t, s, wanted, o); len(again.Parts) > 0 {
			t.Errorf("seed %d: afterwards there is still %q", seed, done(again))
		}
	}
}

// randomSet returns some of a dozen documents, whose references lead to others among them.
func randomSet(random *rand.Rand) (list []document.Document) {
	segments, flags := random.IntN(4), random.IntN(9)
	for i := range segments {
		rule := fmt.Sprintf(`{"in":[{"var":"country"},["%d"]]}`, random.IntN(3))
		if i > 0 && random.IntN(2) == 0 {
			rule = fmt.Sprintf(`{"$ref":"s%d"}`, i-1)
		}
		list = append(list, segment(fmt.Sprint("s", i), rule))
	}
	order := random.Perm(flags)
	for i, n := range order {
		more := fmt.Sprintf(`,"owner":"%d"`, random.IntN(3))
		if i > 0 && random.IntN(2) == 0 {
			more += fmt.Sprintf(`,"prerequisites":[{"flag":"f%d","variants":["on"]}]`, order[random.IntN(i)])
		}
		if segments > 0 && random.IntN(2) == 0 {
			more += fmt.Sprintf(`,"targeting":{"if":[{"$ref":"s%d"},"on"]}`, random.IntN(segments))
		}
		list = append(list, flag(fmt.Sprint("f", n), more))
	}
	return list
}

// manyFlags are live flags, and the same with one in two changed.
func manyFlags(t testing.TB, n int) (before, wanted []document.Document) {
	t.Helper()
	for i := range n {
		d := flag(fmt.Sprintf("flag-%05d", i), fmt.Sprintf(`,"owner":"team-%d","targeting":{"if":[{"in":[{"var":"country"},["DE","FR","%d"]]},"on","off"]}`, i%7, i))
		d.Revision = uint64(i + 1)
		wanted = append(wanted, d)
		if d.Body = ownership.Marked(d.Body, "shop"); i%2 == 0 {
			d.Body = slices.Replace(slices.Clone(d.Body), 0, len(`{"state":"ENABLED"`), []byte(`{"state":"DISABLED"`)...)
		}
		before = append(before, d)
	}
	return before, wanted
}

// planTime is how long a plan of 10,000 flags may take where nothing else runs. Busy machines and the race detector get more in the test.
const planTime = 2 * time.Second

func TestPlanOfTenThousandFlags(t *testing.T) {
	before, wanted := manyFlags(t, 10_000)
	begun := time.Now()
	p, err := newPlan(before, wanted, options("shop"))
	took := time.Since(begun)
	if err != nil || len(p.Changes()) != 5_000 || len(p.Parts) < 5 {
		t.Fatalf("%v; %d changes in %d parts", err, len(p.Changes()), len(p.Parts))
	}
	t.Logf("10,000 flags planned in %v", took)
	if took > 10*planTime {
		t.Errorf("10,000 flags were planned in %v, at most %v are allowed", took, 10*planTime)
	}
}

func BenchmarkPlanOfTenThousandFlags(b *testing.B) {
	before, wanted := manyFlags(b, 10_000)
	for b.Loop() {
		if _, err := newPlan(before, wanted, options("shop")); err != nil {
			b.Fatal(err)
		}
	}
}

// A plan around conflicts makes the rest, what was taken from the source goes back to it where both say the same, and documents may have owners within it.
func TestPlansAroundConflicts(t *testing.T) {
	t.Parallel()
	const files, objects = "publisher:/flags", "publisher:kubernetes:shop"
	owned := func(key, more, owner string) document.Document {
		d := flag(key, more)
		d.Body = ownership.Marked(d.Body, owner)
		return d
	}
	s := statetest.New()
	s.Apply(t, []document.Document{
		owned("label", "", "shop"), owned("other", "", files), owned("taken", "", ownership.Take(objects)), owned("same", "", ownership.Take(objects)),
		owned("moved", "", objects+"/a"), owned("gone", "", objects+"/a"), flag("free", ""),
	})
	wanted := []document.Document{
		flag("label", ""), flag("other", ""), flag("taken", `,"description":"x"`), flag("same", ""), flag("moved", ""), flag("free", ""), flag("new", ""),
	}
	o := options(objects)
	o.Prune, o.Around, o.Marks = true, true, map[document.ID]string{}
	for _, d := range wanted {
		o.Marks[d.ID()] = objects + "/b"
	}
	p := plan(t, s, wanted, o)
	var conflicts []string
	for _, c := range p.Conflicts {
		conflicts = append(conflicts, c.Key+" "+c.Owner)
	}
	if want := []string{"label shop", "other " + files, "taken " + ownership.Take(objects)}; !slices.Equal(conflicts, want) {
		t.Errorf("conflicts are %q, want %q", conflicts, want)
	}
	got := done(p)
	slices.Sort(got)
	if want := []string{"added flag/new", "changed flag/free", "changed flag/moved", "changed flag/same", "deleted flag/gone"}; !slices.Equal(got, want) {
		t.Errorf("the plan is %q, want %q", got, want)
	}
	carryOut(t, s, p)
	for _, key := range []string{"same", "moved", "free", "new"} {
		if d, _ := s.Document(statetest.FlagID(key)); ownership.Owner(d.Body) != objects+"/b" {
			t.Errorf("%s belongs to %q", key, ownership.Owner(d.Body))
		}
	}
	if again := plan(t, s, wanted, o); len(again.Changes()) != 0 || len(again.Conflicts) != 3 {
		t.Errorf("again: %q", done(again))
	}
	o.Around = false
	if whole := plan(t, s, append(wanted, flag("more", "")), o); len(whole.Parts) != 0 {
		t.Errorf("not around them: %q", done(whole))
	}
}

// What was taken from a source is not deleted when the source no longer names it: that is a conflict, which is told.
func TestWhatWasTakenIsNotPruned(t *testing.T) {
	t.Parallel()
	const owner = "publisher:/flags"
	flag := func(key, owner string) document.Document {
		return document.Document{Kind: document.KindFlag, Key: key, Revision: 1, Body: ownership.Marked([]byte(plainFlag+"}"), owner)}
	}
	live := []document.Document{flag("mine", owner), flag("taken", ownership.Take(owner)), flag("other", ownership.Take("publisher:/other")), flag("free", "")}
	plan, err := newPlan(live, nil, source.Options{Owner: owner, Prune: true, Around: true, MaxDocuments: 10, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Conflicts) != 1 || plan.Conflicts[0].Key != "taken" || len(plan.Changes()) != 1 || plan.Changes()[0].Key != "mine" {
		t.Errorf("%+v", plan)
	}
}
