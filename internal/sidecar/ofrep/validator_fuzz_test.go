package ofrep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// fleet are sidecars behind one address. They follow one log, each at its own pace, and differ in their static context.
type fleet struct {
	t         testing.TB
	log       []changelog.Transaction
	position  changelog.Position
	documents map[document.ID]document.Document // at the position
	clock     time.Time
	sidecars  [3]*sidecar
	bodies    map[string]string // by validator
	order     []string          // the validators as they came
}

// sidecar is one of a fleet. It is the log of its own resolver.
type sidecar struct {
	*Server
	metrics *prometheus.Registry
	counts  *counting.Counts
	store   *cache.Store
	applied int // of the log
	age     time.Duration
}

func (s *sidecar) Age() (age time.Duration, known bool) { return s.age, true }
func (*sidecar) Barrier(context.Context) error          { return errors.New("the log is cut off") }

func (*sidecar) Wait(context.Context, changelog.Token) error { return errors.New("the log is cut off") }
func (f *fleet) now() time.Time                              { return f.clock }

func newFleet(t testing.TB) *fleet {
	t.Helper()
	f := &fleet{t: t, clock: time.Unix(1000, 0), bodies: make(map[string]string), documents: make(map[document.ID]document.Document)}
	f.position.Epoch = changelog.NewEpoch(f.clock, "")
	f.commit(changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey})
	f.put("plan", `"targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"a",null]}`)
	f.put("tier", `"metadata":{"flagSetId":"tier"},"targeting":{"if":[{"==":[{"var":"tier"},"gold"]},"a",null]}`)
	f.put("window", `"metadata":{"flagSetId":"window"},"targeting":{"if":[{"<=":[1003,{"var":"$flagd.timestamp"},1009]},"a",null]}`)
	f.put("second", `"metadata":{"flagSetId":"second"},"targeting":{"if":[{"%":[{"var":"$flagd.timestamp"},2]},"a",null]}`)
	f.put("strict", `"metadata":{"flagSetId":"strict"},"maxStaleness":"10s"`)
	for i := range f.sidecars {
		f.restart(i)
	}
	return f
}

func (f *fleet) put(key, members string) {
	f.commit(changelog.Entry{
		Kind: document.KindFlag, Key: key,
		Put: []byte(`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b",` + members + `}`),
	})
}

func (f *fleet) commit(e changelog.Entry) {
	f.position.Revision++
	e.Epoch, e.Revision, e.Index, e.Count = f.position.Epoch, f.position.Revision, 1, 1
	f.position.Digest = changelog.Sum(fmt.Append(nil, f.position))
	if e.Put != nil {
		f.documents[e.ID()] = document.Document{Kind: e.Kind, Key: e.Key, Revision: e.Revision, Body: e.Put}
	}
	state := changelog.State{}.Edit()
	for _, d := range f.documents {
		state.Add(d)
	}
	e.State = state.State().Digest()
	head, err := trusttest.Default().Signer().SignHead("test", changelog.Head{Position: f.position, State: e.State})
	if err != nil {
		f.t.Fatal(err)
	}
	f.log = append(f.log, changelog.Transaction{{Entry: e, Digest: f.position.Digest, Signature: head.Signature}})
}

// restart replaces a sidecar by one that knows nothing of what was before, and follows the log to its end.
func (f *fleet) restart(i int) {
	f.t.Helper()
	s := f.replace(i)
	f.deliver(s)
	s.store.Synced()
}

// replace replaces a sidecar by one that knows nothing. The last one has another static context than the others.
func (f *fleet) replace(i int) *sidecar {
	f.t.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Keyring: trusttest.Default().PublisherKeyring(), Logger: zerolog.Nop()})
	if err != nil {
		f.t.Fatal(err)
	}
	s := &sidecar{metrics: prometheus.NewRegistry(), counts: counting.New("shop"), store: store}
	o := resolver.Options{Views: store, Log: s, Now: f.now, Usage: s.counts, Metrics: s.metrics}
	if i == len(f.sidecars)-1 {
		o.Enrichment.Static = map[string]string{"tier": "gold"}
	}
	r, err := resolver.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	if s.Server, err = New(Options{Resolver: r, Metrics: s.metrics, Logger: zerolog.Nop()}); err != nil {
		f.t.Fatal(err)
	}
	f.sidecars[i] = s
	return s
}

func (f *fleet) deliver(s *sidecar) {
	f.t.Helper()
	if s.applied == len(f.log) {
		return
	}
	if err := s.store.Apply(f.log[s.applied:]); err != nil {
		f.t.Fatal(err)
	}
	s.applied = len(f.log)
}

// evaluations returns how many there were.
func (s *sidecar) evaluations(t testing.TB) (sum float64) {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "flagside_evaluations_total" {
			for _, metric := range family.GetMetric() {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// question is one that can be asked of any sidecar.
type question struct{ selector, context string }

// ask returns the status, the body and the validator of the answer to a client that has an answer with the validator tag.
func (s *sidecar) ask(q question, tag string) (status int, body, answered string) {
	var ctx fasthttp.RequestCtx
	ask(&ctx, "", `{"context":`+q.context+`}`)
	ctx.Request.Header.Set("Flagd-Selector", q.selector)
	ctx.Request.Header.Set("If-None-Match", tag)
	s.handle(&ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body()), string(ctx.Response.Header.Peek("ETag"))
}

// check asks a sidecar with and without a validator from before, and with that of the answer.
func (f *fleet) check(s *sidecar, q question, before int) {
	status, body, tag := s.ask(q, "")
	if status != fasthttp.StatusOK {
		if tag != "" {
			f.t.Fatalf("%+v: status %d with the validator %s", q, status, tag)
		}
		return
	}
	if known, ok := f.bodies[tag]; ok && known != body {
		f.t.Fatalf("%+v: %s stands for two answers:\n%s\n%s", q, tag, known, body)
	}
	evaluated := s.evaluations(f.t)
	if status, left, again := s.ask(q, tag); status != fasthttp.StatusNotModified || left != "" || again != tag {
		f.t.Fatalf("%+v: the same question was answered with %d, %d bytes and %s after %s", q, status, len(left), again, tag)
	}
	certain := slices.Contains([]string{"flagSetId=", "flagSetId=tier", "flagSetId=window", "flagSetId=none"}, q.selector) ||
		q.selector == "flagSetId=strict" && s.age == 0
	if certain && s.evaluations(f.t) != evaluated {
		f.t.Fatalf("%+v: evaluated again although nothing had changed since %s", q, tag)
	}
	if len(f.order) > 0 {
		old := f.order[before%len(f.order)]
		status, _, _ := s.ask(q, old)
		if same := f.bodies[old] == body; same != (status == fasthttp.StatusNotModified) {
			f.t.Fatalf("%+v: the same body as before: %v, status %d\nbefore %s: %s\nnow    %s: %s", q, same, status, old, f.bodies[old], tag, body)
		}
	}
	if _, ok := f.bodies[tag]; !ok {
		f.bodies[tag] = body
		f.order = append(f.order, tag)
	}
}

// A client gets 304 if and only if it has the body that it would get otherwise, from whichever sidecar and at whatever time, and nothing is
// evaluated for one that asks the same of the same flags.
func FuzzValidators(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x40\x41\x80\x90\xa0\x33\x22\x11"), `{"plan":"gold"}`, "x")
	f.Add([]byte("\x09\x0a\x0b\x0c\xc1\x09\x0a\xc2\x09\x49\x89\xd1\x09\x49\x89\xd5\x09\x49\x89"), `{"tier":"gold"}`, "x")
	f.Add([]byte("\x1b\x5b\xe3\x1b\x5b\xe7\x1b\x5b\xea\x1b\x5b\x9b\xe1\x1b\x5b\xf1\x2c\x24\x6c"), `null`, "x")
	f.Add([]byte("\xd3\x00\x40\x80\xda\x00\x40\xd8\x40"), `{"plan":["gold"]}`, "x")
	random := rand.NewChaCha8([32]byte{})
	for range 100 {
		script := make([]byte, 40)
		_, _ = random.Read(script) // it never fails
		f.Add(script, `{"plan":"gold"}`, "flagSetId=two words")
	}
	f.Fuzz(func(t *testing.T, script []byte, context, selector string) {
		const most = 40
		flagSets := []string{"", "flagSetId=", "flagSetId=tier", "flagSetId=window", "flagSetId=second", "flagSetId=strict", "flagSetId=none", selector}
		contexts := []string{context, `{}`, `{"plan":"gold"}`, `{"tier":"gold","plan":"gold"}`}
		fleet := newFleet(t)
		for i, step := range script[:min(len(script), most)] {
			s := fleet.sidecars[int(step>>6)%len(fleet.sidecars)]
			low := int(step & 0x3f)
			switch {
			case step < 0xc0:
				fleet.check(s, question{flagSets[low&7], contexts[low>>3&3]}, i*7)
			case low < 0x10:
				fleet.step(low)
			case low < 0x20:
				fleet.restart(low % len(fleet.sidecars))
			case low < 0x30:
				fleet.clock = time.Unix(1000+int64(low&0xf), 0)
			default:
				fleet.sidecars[low%len(fleet.sidecars)].age = time.Duration(low&4) * 10 * time.Second
			}
		}
	})
}

// step changes a flag, or brings a sidecar up to date.
func (f *fleet) step(n int) {
	changes := []string{`"metadata":{}`, `"metadata":{"owner":"shop"}`, `"targeting":{"no such operator":[]}`, `"metadata":{"flagSetId":"tier"}`}
	if n < 8 {
		f.put("plan", changes[n%len(changes)])
		return
	}
	f.deliver(f.sidecars[n%len(f.sidecars)])
}

func TestValidatorsOfOneAnswerAreTheSameEverywhere(t *testing.T) {
	f := newFleet(t)
	q := question{"flagSetId=", `{"plan":"gold"}`}
	_, _, first := f.sidecars[0].ask(q, "")
	f.clock = f.clock.Add(time.Hour)
	f.restart(1)
	_, _, second := f.sidecars[1].ask(q, "")
	if first != second || len(first) < 60 {
		t.Errorf("validators %s and %s", first, second)
	}
	tags := []string{first}
	for _, other := range []question{{"flagSetId=tier", q.context}, {q.selector, `{"plan":"free"}`}, {q.selector, `{"plan": "gold"}`}} {
		_, _, tag := f.sidecars[0].ask(other, "")
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	if len(slices.Compact(tags)) != 4 {
		t.Errorf("different questions share a validator: %q", tags)
	}
}

// A sidecar that begins with a document that does not compile answers otherwise than one that has its last good version.
func TestValidatorsWithoutTheLastGoodVersion(t *testing.T) {
	f := newFleet(t)
	f.put("plan", `"targeting":{"no such operator":[]}`)
	f.deliver(f.sidecars[0])
	var snapshot bytes.Buffer
	if err := f.sidecars[0].store.View().Write(&snapshot); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	if err := os.WriteFile(path, snapshot.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.replace(1).store.LoadBootstrap(path); err != nil {
		t.Fatal(err)
	}
	q := question{"flagSetId=", `{}`}
	_, body, tag := f.sidecars[0].ask(q, "")
	status, other, _ := f.sidecars[1].ask(q, tag)
	if status != fasthttp.StatusOK || other == body {
		t.Errorf("status %d with the validator of another answer; the bodies are\n%s\n%s", status, body, other)
	}
}

// Large contexts are told apart, and recognised, as small ones are.
func TestValidatorsOfLargeContexts(t *testing.T) {
	f := newFleet(t)
	s := f.sidecars[0]
	filler := strings.Repeat("x", 100_000)
	gold, free := question{"flagSetId=", `{"filler":"` + filler + `","plan":"gold"}`}, question{"flagSetId=", `{"filler":"` + filler + `","plan":"free"}`}
	f.check(s, gold, 0)
	f.check(s, free, 0)
	_, _, tag := s.ask(gold, "")
	if status, _, _ := s.ask(free, tag); status != fasthttp.StatusOK {
		t.Errorf("status %d for another context", status)
	}
}
