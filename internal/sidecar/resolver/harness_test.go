package resolver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// errCut is what a log that is cut off answers.
var errCut = errors.New("the log is cut off")

// world is a log with a resolver that follows it. What is committed stands in the log at once, and in the views once it is delivered: by
// deliver, or by a barrier or wait that succeeds.
type world struct {
	t       testing.TB
	store   *cache.Store
	metrics *prometheus.Registry
	*resolver.Resolver

	cut       atomic.Bool   // barriers fail at once
	hang      atomic.Bool   // barriers do not end
	roundTrip time.Duration // of a barrier
	barriers  atomic.Int64
	ages      atomic.Int64 // how often the age was asked for

	confirmed atomic.Pointer[time.Time]

	mu        sync.Mutex
	position  changelog.Position // of the last entry of the log
	pending   []changelog.Transaction
	delivered chan struct{} // closed by the next delivery
}

// newWorld returns a world in which the flags are committed, delivered and confirmed. Each body is that of the flag with the key before it.
func newWorld(t testing.TB, flags ...string) *world {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Past: 4, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, store: store, metrics: prometheus.NewRegistry(), delivered: make(chan struct{})}
	w.Resolver, err = resolver.New(resolver.Options{Views: store, Past: store, Baggage: true, Log: w, Metrics: w.metrics})
	if err != nil {
		t.Fatal(err)
	}
	w.position.Epoch = changelog.NewEpoch(time.Now(), "")
	w.append(changelog.Entry{Kind: document.KindEpoch, Key: document.EpochKey})
	w.commit(flags...)
	w.deliver()
	store.Synced()
	w.confirm(time.Now())
	return w
}

// commit appends the flags to the log, each as one change, and returns the last revision.
func (w *world) commit(flags ...string) uint64 {
	w.t.Helper()
	for i := 0; i < len(flags); i += 2 {
		w.append(changelog.Entry{Kind: document.KindFlag, Key: flags[i], Put: []byte(flags[i+1])})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.position.Revision
}

// settings commits and delivers the settings of the environment.
func (w *world) settings(body string) {
	w.t.Helper()
	w.append(changelog.Entry{Kind: document.KindSettings, Key: document.SettingsKey, Put: []byte(body)})
	w.deliver()
}

func (w *world) append(e changelog.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.position.Revision++
	e.Epoch, e.Revision, e.Index, e.Count = w.position.Epoch, w.position.Revision, 1, 1
	w.position.Digest = changelog.Sum(fmt.Append(nil, w.position.Revision))
	w.pending = append(w.pending, changelog.Transaction{{Entry: e, Digest: w.position.Digest}})
}

// deliver applies what is committed.
func (w *world) deliver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == 0 {
		return
	}
	if err := w.store.Apply(w.pending); err != nil {
		w.t.Error(err)
	}
	w.pending = nil
	close(w.delivered)
	w.delivered = make(chan struct{})
}

// confirm says that at the moment everything that existed was applied.
func (w *world) confirm(at time.Time) { w.confirmed.Store(&at) }

// token returns the token of a revision.
func (w *world) token(revision uint64) changelog.Token {
	return changelog.Position{Epoch: w.position.Epoch, Revision: revision}.Token()
}

// Age implements resolver.Log.
func (w *world) Age() (age time.Duration, known bool) {
	w.ages.Add(1)
	at := w.confirmed.Load()
	if at == nil {
		return 0, false
	}
	return time.Since(*at), true
}

// Barrier implements resolver.Log.
func (w *world) Barrier(ctx context.Context) error {
	w.barriers.Add(1)
	sent := time.Now()
	if w.cut.Load() {
		return errCut
	}
	if w.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.roundTrip > 0 {
		time.Sleep(w.roundTrip)
	}
	w.deliver()
	w.confirm(sent)
	return nil
}

// Wait implements resolver.Log.
func (w *world) Wait(ctx context.Context, t changelog.Token) error {
	for {
		w.mu.Lock()
		delivered := w.delivered
		w.mu.Unlock()
		if w.store.Position().Revision >= t.Revision {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-delivered:
		}
	}
}

// question is a request; its zero value asks for all flags.
type question struct {
	key       string
	selector  string
	revision  changelog.Token
	freshness eval.Freshness
}

// item is the answer about one flag.
type item struct {
	Value    string
	Reason   eval.Reason
	Code     eval.ErrorCode
	Metadata map[string]any
}

// ask asks a question with an empty context. The answers stand under their keys.
func (w *world) ask(question question) (map[string]item, error) {
	w.t.Helper()
	answers := make(map[string]item)
	if question.key != "" {
		var q resolver.Request
		if err := w.Begin(w.t.Context(), &q, []byte(question.key), question.headers()); err != nil {
			return nil, err
		}
		defer q.End()
		result := answer(w.t, &q, "")
		answers[question.key] = w.item(&result)
		return answers, nil
	}
	var q resolver.BulkRequest
	if err := w.BeginAll(w.t.Context(), &q, question.headers()); err != nil {
		return nil, err
	}
	defer q.End()
	results, err := q.Results(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for result := range results.All(w.t.Context()) {
		answers[result.Flag.Key()] = w.item(&result)
	}
	return answers, nil
}

// headers returns what the question says in headers.
func (q question) headers() resolver.Headers {
	h := resolver.Headers{Selector: []byte(q.selector), Freshness: []byte(q.freshness)}
	if q.revision != (changelog.Token{}) {
		h.MinRevision = []byte(q.revision.String())
	}
	return h
}

// begin begins a request about the flag with the key that has no headers.
func begin(t testing.TB, r *resolver.Resolver, q *resolver.Request, key string) {
	t.Helper()
	if err := r.Begin(t.Context(), q, []byte(key), resolver.Headers{}); err != nil {
		t.Fatal(err)
	}
}

// answer returns the answer in a context that can be used.
func answer(t testing.TB, q *resolver.Request, evaluationContext string) eval.Result {
	t.Helper()
	result, err := q.Answer([]byte(evaluationContext))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// one asks for one flag, which must be answered.
func (w *world) one(key string) item {
	w.t.Helper()
	answers, err := w.ask(question{key: key})
	if err != nil {
		w.t.Fatal(err)
	}
	return answers[key]
}

func (w *world) item(r *eval.Result) item {
	w.t.Helper()
	i := item{Value: string(r.Value()), Reason: r.Reason, Code: r.ErrorCode}
	if err := json.Unmarshal(r.Metadata, &i.Metadata); err != nil {
		w.t.Errorf("metadata %s: %v", r.Metadata, err)
	}
	return i
}

// counter returns the value of one series of a counter; labels are its label values.
func (w *world) counter(name string, labels ...string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			matches := len(labels) == 0 || len(labels) == len(metric.GetLabel())
			for i, label := range metric.GetLabel() {
				matches = matches && (len(labels) == 0 || labels[i] == label.GetValue())
			}
			if matches {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// flag returns a flag with two values, of which the rule gives "ruled" and the default is "default".
func flag(members string) string {
	return `{"state":"ENABLED","variants":{"a":"ruled","b":"default"},"defaultVariant":"b","targeting":{"if":[true,"a",null]}` + members + `}`
}

// settled returns a flag without a rule whose value is a number.
func settled(value uint64, members string) string {
	return fmt.Sprintf(`{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"%s}`, value, members)
}
