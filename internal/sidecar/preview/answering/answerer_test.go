package answering

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/preview"
	"github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	wire "github.com/flagside/flagside/sync/preview"
	"github.com/flagside/flagside/sync/status"
)

const environment = "prod"

// remembersAll is how many evaluations of a flag are remembered all.
const remembersAll = 128

// clock is a time that tests set.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanoseconds.Store(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// Now returns the time.
func (c *clock) Now() time.Time { return time.Unix(0, c.nanoseconds.Load()).UTC() }

// add sets the time forward and returns it.
func (c *clock) add(d time.Duration) time.Time {
	return time.Unix(0, c.nanoseconds.Add(int64(d))).UTC()
}

// place is an answerer with a view, a reservoir, and what it has sent.
type place struct {
	*Answerer

	t         testing.TB
	keys      trusttest.Keys
	clock     *clock
	view      *cache.View
	reservoir *preview.Reservoir
	ready     bool

	mu   sync.Mutex
	sent []wire.Answer
}

const (
	offFlag   = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`
	onForGold = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}}`
)

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, keys: trusttest.New(), clock: newClock(), ready: true}
	keyring := p.keys.Keyring()
	if err := keyring.Adopt(p.keys.Note.Text); err != nil {
		t.Fatal(err)
	}
	p.view = p.viewOf(keyring)
	p.reservoir = preview.NewReservoir(p.clock.Now, 1)
	var err error
	p.Answerer, err = New(Options{
		Environment: environment, Boot: status.NewBoot(), Keyring: keyring, Reservoir: p.reservoir, Metrics: prometheus.NewRegistry(),
		View: func() *cache.View { return p.view }, Ready: func() bool { return p.ready }, Now: p.clock.Now, Rest: func(time.Duration) {},
		Application: func(usage.Application) string { return "shop" },
		Send: func(a wire.Answer) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.sent = append(p.sent, a)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// viewOf returns a view with two flags.
func (p *place) viewOf(keyring *changelog.Keyring) *cache.View {
	p.t.Helper()
	store, err := cache.New(cache.Options{Environment: environment})
	if err != nil {
		p.t.Fatal(err)
	}
	snapshot := p.keys.Snapshot(p.t, environment,
		document.Document{Kind: document.KindFlag, Key: "checkout", Revision: 41, Body: []byte(offFlag)},
		document.Document{Kind: document.KindFlag, Key: "other", Revision: 42, Body: []byte(offFlag)})
	r, err := changelog.NewSnapshotReader(bytes.NewReader(snapshot), keyring)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	if err := store.Load(r); err != nil {
		p.t.Fatal(err)
	}
	store.Synced()
	return store.View()
}

// start has questions answered until the test ends.
func (p *place) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
}

// question returns one that makes a flag another one.
func (p *place) question(body string) wire.Question {
	return wire.Question{
		ID: status.NewBoot(), Time: p.clock.Now(), Base: p.view.Position(), To: []string{p.options.Boot},
		Documents: []wire.Document{{Kind: document.KindFlag, Key: "checkout", Body: []byte(body)}},
	}
}

// ask has a question taken as it comes from a publisher.
func (p *place) ask(q wire.Question) {
	p.t.Helper()
	data, signature, err := wire.NewQuestion(p.keys.Signer(), environment, q)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Take(data, signature)
}

// answered asks and returns the answer.
func (p *place) answered(q wire.Question) (a wire.Answer) {
	p.t.Helper()
	p.ask(q)
	waiting.Until(p.t, "an answer", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.sent, func(a wire.Answer) bool { return a.ID == q.ID })
		if i >= 0 {
			a = p.sent[i]
		}
		return i >= 0
	})
	return a
}

// ended returns how many questions ended in a way.
func (p *place) ended(o outcome) int { return valueOf(p.t, p.metrics.questions[o]) }

func valueOf(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}

// remember has so many evaluations of the flag remembered, of which every fifth is one that the change would concern.
func (p *place) remember(n int) {
	flag := p.view.Rules().Flag("checkout")
	for i := range n {
		plan := "plain"
		if i%5 == 0 {
			plan = "gold"
		}
		p.reservoir.Keep(flag, false, fmt.Appendf(nil, `{"targetingKey":"user-%d","plan":%q}`, i, plan), 0)
	}
}

func TestTheAnswerIsCounts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.remember(100)
	p.start()
	q := p.question(onForGold)
	want := wire.Answer{
		ID: q.ID, Boot: p.options.Boot, Applications: []string{"shop"},
		Flags: []wire.Flag{{Key: "checkout", Evaluations: 100, Samples: 100, Changes: []wire.Change{{From: "off", To: "on", N: 20}}}},
	}
	if diff := cmp.Diff(want, p.answered(q)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	gone := p.question("")
	want.ID, want.Flags[0].Changes, want.Flags[0].ErrorsAfter, want.Flags[0].Fails = gone.ID, []wire.Change{{From: "off", N: 100}}, 100, true
	if diff := cmp.Diff(want, p.answered(gone)); diff != "" {
		t.Errorf("the flag is deleted (-want +got):\n%s", diff)
	}
	same := p.question(strings.Replace(offFlag, "{", `{"description":"x",`, 1))
	want.ID, want.Flags[0].Changes, want.Flags[0].ErrorsAfter, want.Flags[0].Fails = same.ID, nil, 0, false
	if diff := cmp.Diff(want, p.answered(same)); diff != "" {
		t.Errorf("nothing changes (-want +got):\n%s", diff)
	}
}

// Of few evaluations only their number is told, and small numbers are told as 5 or not at all, right on average; that there are errors is told always.
func TestSmallNumbersAreNotTold(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.remember(wire.MinSamples - 1)
	p.start()
	a := p.answered(p.question(onForGold))
	if f := a.Flags[0]; f.Evaluations != wire.MinSamples-1 || len(f.Changes) != 0 || f.ErrorsAfter != 0 {
		t.Errorf("of %d: %+v", wire.MinSamples-1, f)
	}
	p = newPlace(t)
	p.remember(96)
	p.start()
	one := strings.Replace(onForGold, `{"var":"plan"},"gold"`, `{"var":"targetingKey"},"user-7"`, 1)
	told := make(map[uint64]int)
	for range 120 {
		p.clock.add(3500 * time.Millisecond) // so that it may be asked again
		n := uint64(0)
		for _, c := range p.answered(p.question(one)).Flags[0].Changes {
			n += c.N
		}
		told[n]++
	}
	if len(told) != 2 || told[0] == 0 || told[wire.MinCount] == 0 {
		t.Errorf("one of 96 is told as %v", told)
	}
	if five := told[wire.MinCount]; five > 60 { // 24 on average, of 120
		t.Errorf("one of 96 is told as five %d times of 120", five)
	}
	failing := strings.Replace(one, `"on"]`, `{"var":"plan"}]`, 1)
	p.clock.add(time.Minute)
	clear(told)
	for range 120 {
		p.clock.add(3500 * time.Millisecond)
		f := p.answered(p.question(failing)).Flags[0]
		if told[f.ErrorsAfter]++; !f.Fails {
			t.Fatalf("one error is not told: %+v", f)
		}
	}
	if five := told[wire.MinCount]; len(told) != 2 || five == 0 || five > 60 {
		t.Errorf("one error of 96 is told as %v", told)
	}
	if parse, general := p.view.Rules().Flag("checkout").Errors(); parse+general != 0 {
		t.Errorf("%d errors of the change count as those of the flag in service", parse+general)
	}
}

// What no publisher can have asked of this process now is dropped, and counted.
func TestHostileQuestionsAreDropped(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.remember(100)
	p.start()
	take := func(want outcome, environment string, keys trusttest.Keys, change func(*wire.Question), alter func([]byte) []byte) {
		t.Helper()
		p.clock.add(time.Second)
		q := p.question(onForGold)
		change(&q)
		data, signature, err := wire.NewQuestion(keys.Signer(), environment, q)
		if err != nil {
			t.Fatal(err)
		}
		before := p.ended(want)
		p.Take(alter(data), signature)
		if p.ended(want) != before+1 {
			t.Errorf("%s: it is not counted", want)
		}
	}
	none, as := func(*wire.Question) {}, func(data []byte) []byte { return data }
	take(outcomeUnsigned, environment, trusttest.New(), none, as)
	take(outcomeUnsigned, "staging", p.keys, none, as)
	take(outcomeUnsigned, environment, p.keys, none, func(data []byte) []byte { return bytes.Replace(data, []byte("checkout"), []byte("checkouu"), 1) })
	take(outcomeMalformed, environment, p.keys, none, func([]byte) []byte { return make([]byte, wire.MaxQuestion+1) })
	take(outcomeExpired, environment, p.keys, func(q *wire.Question) { q.Time = q.Time.Add(-wire.Validity - time.Second) }, as)
	take(outcomeExpired, environment, p.keys, func(q *wire.Question) { q.Time = q.Time.Add(wire.Validity + time.Second) }, as)
	for i, a := range p.sent { // what a publisher has signed is refused, so that the clock is named
		if a.Refused != wire.RefusedClock || len(p.sent) != 2 || a.AheadMs != []int64{61_000, -61_000}[i] {
			t.Errorf("of another time: %+v", p.sent)
		}
	}
	take(outcomeElsewhere, environment, p.keys, func(q *wire.Question) { q.To = []string{status.NewBoot()} }, as)
	q := p.question(onForGold)
	p.answered(q)
	for range 3 {
		p.clock.add(50 * time.Second)
		p.ask(q)
	}
	if n := p.ended(outcomeReplayed) + p.ended(outcomeExpired); n != 5 || p.ended(outcomeReplayed) != 2 {
		t.Errorf("replays: %d dropped as such, %d as expired", p.ended(outcomeReplayed), p.ended(outcomeExpired))
	}
	for range 10 * maxVerified {
		p.Take([]byte("{}"), "")
	}
	if p.ended(outcomeFlood) < 8*maxVerified {
		t.Errorf("%d of a flood were not verified", p.ended(outcomeFlood))
	}
	if len(p.sent) != 4 {
		t.Errorf("%d answers were sent, want one with counts, and three that a clock is wrong", len(p.sent))
	}
}

// What a publisher asks and cannot be told is refused with why. A change that does not compile, or that would take too much work, ends nothing.
func TestQuestionsAreRefusedWithWhy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.remember(100)
	p.start()
	refused := func(want wire.Refusal, change func(*wire.Question)) {
		t.Helper()
		p.clock.add(time.Minute)
		q := p.question(onForGold)
		change(&q)
		if a := p.answered(q); a.Refused != want || len(a.Flags) != 0 {
			t.Errorf("%q: %+v", want, a)
		}
	}
	refused(wire.RefusedBehind, func(q *wire.Question) { q.Base.Revision++ })
	refused(wire.RefusedEpoch, func(q *wire.Question) { q.Base.Epoch = changelog.NewEpoch(p.clock.Now(), "") })
	refused(wire.RefusedInvalid, func(q *wire.Question) { q.Documents[0].Body = []byte(`{"state":"ENABLED"`) })
	refused(wire.RefusedInvalid, func(q *wire.Question) { q.Documents[0].Body = []byte(strings.Repeat("[", 500_000)) })
	p.ready = false
	refused(wire.RefusedNotReady, func(*wire.Question) {})
	p.ready = true
	p.clock.add(time.Minute)
	deep := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"some":[{"var":"plan"},` +
		strings.Repeat(`{"or":[`, 30) + `true` + strings.Repeat(`]}`, 30) + `]},"on"]}}`
	if a := p.answered(p.question(deep)); a.Refused != "" && a.Refused != wire.RefusedInvalid {
		t.Errorf("a change that takes work: %+v", a)
	}
	if a := p.answered(p.question(onForGold)); a.Refused != "" || len(a.Flags) != 1 {
		t.Errorf("after all that: %+v", a)
	}
}

// A sidecar is asked at most so often, and works so long at most: what counts is the time, which passes here with every look at the clock.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.remember(remembersAll)
	const perLook = 400 * time.Microsecond
	rests := 0
	p.options.Now = func() time.Time {
		return p.clock.add(perLook)
	}
	p.options.Rest = func(d time.Duration) { rests++ }
	p.budget = newBudget(p.clock.Now())
	q := p.question(onForGold)
	p.answer(t.Context(), &q)
	first := p.sent[0]
	if !first.Partial || len(first.Flags) != 1 || first.Flags[0].Samples >= remembersAll || first.Flags[0].Evaluations != remembersAll {
		t.Errorf("not all were to be looked at: %+v", first)
	}
	most := 2 * int(perQuestion/perLook)
	if n := valueOf(t, p.metrics.evaluations); n > most || n == 0 || rests < 10 {
		t.Errorf("%d evaluations, at most %d are allowed, with %d pauses", n, most, rests)
	}
	began := p.clock.Now()
	answered := 0
	for range 2000 { // asked all the time, for 100 s
		p.clock.add(50 * time.Millisecond)
		q := p.question(onForGold)
		p.sent = nil
		p.answer(t.Context(), &q)
		if p.sent[0].Refused == "" {
			answered++
		} else if p.sent[0].Refused != wire.RefusedBusy {
			t.Fatalf("%+v", p.sent[0])
		}
	}
	elapsed := p.clock.Now().Sub(began)
	if most := 1 + int((fullBudget+elapsed/budgetShare)/(perQuestion-perLook)) + 1; answered > most || answered == 0 {
		t.Errorf("%d answers in %s, at most %d are allowed", answered, elapsed, most)
	}
}

// While one question is worked on, one more waits, and others are refused.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	p := newPlace(t) // which does not run
	for range 5 {
		p.ask(p.question(onForGold))
	}
	if n := p.ended(outcome(wire.RefusedBusy)); n != 4 {
		t.Errorf("%d of 5 are refused", n)
	}
}

// A minute has so many questions at most, however little work they are.
func TestQuestionsAMinute(t *testing.T) {
	t.Parallel()
	b := newBudget(newClock().Now())
	begun := 0
	for i := range 300 {
		if b.begin(newClock().Now().Add(time.Duration(i) * time.Second)) {
			begun++
		}
	}
	if begun != 5*perMinute {
		t.Errorf("%d in five minutes, want %d", begun, 5*perMinute)
	}
}

// A flag that would lie in another flag set is not found by those who ask for the one that it is in.
func TestAMovedFlagIsGoneFromItsSet(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	flag := p.view.Rules().Flag("checkout")
	context := []byte(`{"targetingKey":"u"}`)
	for range 30 {
		p.reservoir.Keep(flag, false, context, 0)
		p.reservoir.Keep(flag, true, context, 0)
		p.reservoir.KeepSet(nil, context, 0)
		p.reservoir.KeepSet([]byte("web"), context, 0) // which does not have it
		p.reservoir.KeepAll(context, 0)
	}
	p.start()
	f := p.answered(p.question(strings.Replace(offFlag, "{", `{"metadata":{"flagSetId":"web"},`, 1))).Flags[0]
	want := wire.Flag{Key: "checkout", Evaluations: 120, Samples: 120, Changes: []wire.Change{{From: "off", N: 60}}, ErrorsAfter: 60, Fails: true}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
