package resolver_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/waiting"
)

// remember runs the resolver, so that it remembers, until the test ends. It returns once it does.
func (w *world) remember() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	waiting.Until(w.t, "an answer is remembered", func() bool {
		_, remembered := w.all("", "{}")
		return remembered
	})
}

// all asks for all flags as a face does and returns the keys and values as the body, and whether it was remembered.
func (w *world) all(selector, evaluationContext string) (body string, remembered bool) {
	w.t.Helper()
	return w.allOf("test", resolver.Headers{Selector: []byte(selector)}, evaluationContext)
}

func (w *world) allOf(form string, h resolver.Headers, evaluationContext string) (body string, remembered bool) {
	var q resolver.BulkRequest
	if err := w.BeginAll(context.Background(), &q, h); err != nil {
		w.t.Error(err)
		return "", false
	}
	defer q.End()
	e := encoder{form: form}
	answer, err := q.Answer(w.t.Context(), []byte(evaluationContext), nil, &e)
	if err != nil {
		w.t.Error(err)
	}
	return string(answer.Body), !e.encoded
}

// encoder makes bodies of keys and values.
type encoder struct {
	form    string
	encoded bool // whether the body was made, and not remembered
	asked   int  // how often there was need of memory
}

// Form implements resolver.BulkEncoder.
func (e *encoder) Form() string { return e.form }

// Buffer implements resolver.BulkEncoder.
func (e *encoder) Buffer() []byte {
	e.asked++
	return make([]byte, 0, 64)
}

// Head implements resolver.BulkEncoder.
func (e *encoder) Head() string {
	e.encoded = true
	return "all:"
}

// AppendItem implements resolver.BulkEncoder.
func (e *encoder) AppendItem(dst []byte, r *eval.Result) []byte {
	return append(dst, r.Flag.Key()+"="+string(r.Value())...)
}

// AppendTail implements resolver.BulkEncoder.
func (e *encoder) AppendTail(dst, _ []byte) []byte { return append(dst, '.') }

// remembered reports whether the answer comes from memory sooner or later, and fails if it ever is another.
func (w *world) remembered(selector, evaluationContext string) bool {
	w.t.Helper()
	want, _ := w.all(selector, evaluationContext)
	for range 200 {
		got, remembered := w.all(selector, evaluationContext)
		if got != want {
			w.t.Errorf("selector %q, context %s: %s, before %s", selector, evaluationContext, got, want)
		}
		if remembered {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

const planned = `{"state":"ENABLED","variants":{"gold":1,"none":2},"defaultVariant":"none","targeting":{"var":"plan"}}`

func TestBulkAnswersAreRemembered(t *testing.T) {
	w := newWorld(t, "f", planned, "g", settled(1, `,"metadata":{"flagSetId":"web"}`))
	w.remember()
	const gold = `{"plan":"gold"}`
	for _, test := range []struct{ selector, context, want string }{
		{"", `{}`, "all:f=2,g=1."},
		{"", gold, "all:f=1,g=1."},
		{"flagSetId=web", gold, "all:g=1."},
		{"flagSetId=", gold, "all:f=1."},
		{"flagSetId=web" + gold, "", "all:."},
		{"flagSetId=web", "", "all:g=1."},
	} {
		if !w.remembered(test.selector, test.context) {
			t.Errorf("%+v: never remembered", test)
		}
		if got, _ := w.all(test.selector, test.context); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
	w.commit("f", settled(7, ``))
	w.deliver()
	if got, remembered := w.all("", gold); remembered || got != "all:f=7,g=1." {
		t.Errorf("after a change: %s, remembered %v", got, remembered)
	}
}

// Answers of one form are never given in another.
func TestFormsAreApart(t *testing.T) {
	w := newWorld(t, "f", planned)
	w.remember()
	if _, remembered := w.allOf("other", resolver.Headers{}, "{}"); remembered {
		t.Error("an answer was given in another form")
	}
}

func TestWhatIsNotRemembered(t *testing.T) {
	at := `{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"<":[{"var":"$flagd.timestamp"},4102444800]},"a",null]}}`
	anyTime := `{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"%":[{"var":"$flagd.timestamp"},2]},"a","a"]}}`
	for _, test := range []struct {
		name, flag, context string
		cut                 bool
		want                bool
	}{
		{"plain", planned, "{}", false, true},
		{"until a moment", at, "{}", false, true},
		{"changes at any time", anyTime, "{}", false, false},
		{"after a barrier", settled(1, `,"freshness":"always_fresh"`), "{}", false, true},
		{"without the barrier", settled(1, `,"freshness":"always_fresh"`), "{}", true, false},
		{"young enough", settled(1, `,"maxStaleness":"1h"`), "{}", false, true},
		{"a large context", planned, `{"x":"` + strings.Repeat("x", 9<<10) + `"}`, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "f", planned)
			w.remember()
			w.commit("f", test.flag)
			w.deliver()
			w.cut.Store(test.cut)
			if got := w.remembered("", test.context); got != test.want {
				t.Errorf("remembered: %v", got)
			}
		})
	}
}

// What is remembered is not given once it would be stale.
func TestRememberedAnswersBecomeStale(t *testing.T) {
	w := newWorld(t, "f", settled(1, `,"maxStaleness":"1h","onUnreachable":"error"`))
	w.remember()
	w.confirm(time.Now().Add(-2 * time.Hour))
	if got, remembered := w.all("", "{}"); remembered || got != "all:f=." {
		t.Errorf("%s, remembered %v", got, remembered)
	}
	w.confirm(time.Now())
	if got, remembered := w.all("", "{}"); !remembered || got != "all:f=1." {
		t.Errorf("once confirmed: %s, remembered %v", got, remembered)
	}
}

// What is remembered ends when the first of its items may change.
func TestRememberedAnswersEnd(t *testing.T) {
	moment := time.Now().Unix() + 2
	w := newWorld(t, "f", `{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"<":[{"var":"$flagd.timestamp"},`+
		strconv.FormatInt(moment, 10)+`]},"a",null]}}`)
	w.remember()
	waiting.Until(t, "the answer changes", func() bool {
		before := time.Now().Unix()
		got, _ := w.all("", "{}")
		after := time.Now().Unix()
		if before >= moment && got != "all:f=2." || after < moment && got != "all:f=1." {
			t.Fatalf("between %d and %d of %d: %s", before, after, moment, got)
		}
		return got == "all:f=2."
	})
}

// What is remembered is not given for a time before it was made, which comes when a clock is set back.
func TestRememberedAnswersBegin(t *testing.T) {
	moment := time.Now().Truncate(time.Second)
	w := newWorld(t, "f", `{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"<":[{"var":"$flagd.timestamp"},`+
		strconv.FormatInt(moment.Unix(), 10)+`]},"a",null]}}`)
	var offset atomic.Int64
	var err error
	w.Resolver, err = resolver.New(resolver.Options{
		Views: w.store, Log: w, Metrics: prometheus.NewRegistry(),
		Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.remember()
	if got, _ := w.all("", "{}"); got != "all:f=2." {
		t.Fatalf("now: %s", got)
	}
	offset.Store(int64(-time.Hour))
	if got, _ := w.all("", "{}"); got != "all:f=1." {
		t.Errorf("an hour before: %s", got)
	}
}

// Evaluations are counted alike, whether made or remembered.
func TestRememberedEvaluationsAreCounted(t *testing.T) {
	w := newWorld(t, "a", settled(1, ``), "b", planned,
		"c", `{"state":"ENABLED","variants":{"x":1},"defaultVariant":"x","targeting":{"if":[true,{"cat":["no","thing"]},null]}}`)
	w.remember()
	begin := w.counter("flagside_evaluations_total", "static")
	hits, misses := w.counter("flagside_bulk_cache_lookups_total", "hit"), w.counter("flagside_bulk_cache_lookups_total", "miss")
	for range 10 {
		w.all("", "{}")
	}
	for _, series := range [][2]string{
		{"flagside_evaluations_total", "static"},
		{"flagside_evaluations_total", "default"},
		{"flagside_evaluations_total", "error"},
		{"flagside_evaluation_errors_total", "general"},
	} {
		if got := w.counter(series[0], series[1]); got != begin+10 {
			t.Errorf("%v is %v, want %v", series, got, begin+10)
		}
	}
	found := w.counter("flagside_bulk_cache_lookups_total", "hit") - hits
	lost := w.counter("flagside_bulk_cache_lookups_total", "miss") - misses
	if found == 0 || found+lost != 10 {
		t.Errorf("%v hits and %v misses", found, lost)
	}
}

func TestMemoryCanBeSwitchedOff(t *testing.T) {
	v := newViews(t)
	v.load(t, flags)
	r, err := resolver.New(resolver.Options{Views: v, AnswersMemory: -1, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, Resolver: r}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for range 100 {
		if _, remembered := w.all("", "{}"); remembered {
			t.Fatal("remembered all the same")
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// An evaluation that begins after a revision is applied never rests on less, whichever way it takes.
func TestNoEvaluationRestsOnLess(t *testing.T) {
	members := map[string]string{
		"cache": ``, "fresh": `,"freshness":"always_fresh"`, "background": `,"freshness":"background_refresh","refreshAfter":"1ms"`,
		"bounded": `,"maxStaleness":"3s"`,
	}
	content := func(value uint64) (flags []string) {
		for kind, m := range members {
			flags = append(flags, kind, settled(value, m))
		}
		return flags
	}
	w := newWorld(t, content(1)...)
	w.remember()
	var (
		mu      sync.Mutex
		applied uint64 = 1 // the value that every flag has at least
	)
	least := func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return applied
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	check := func(path string, least uint64, value string) {
		got, err := strconv.ParseUint(value, 10, 64)
		if err != nil || got < least {
			t.Errorf("%s: %s after %d was applied", path, value, least)
			stop()
		}
	}
	for kind := range members {
		readers.Go(func() {
			var q resolver.Request
			for ctx.Err() == nil {
				want := least()
				if err := w.Begin(ctx, &q, []byte(kind), resolver.Headers{}); err != nil {
					t.Error(err)
					return
				}
				result, err := q.Answer(nil)
				if err != nil {
					t.Error(err)
				}
				check(kind, want, string(result.Value()))
				q.End()
			}
		})
	}
	var recalled int
	for _, selector := range []string{"", "flagSetId="} {
		readers.Go(func() {
			for ctx.Err() == nil {
				want := least()
				body, remembered := w.all(selector, "{}")
				if remembered {
					mu.Lock()
					recalled++
					mu.Unlock()
				}
				for item := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(body, "all:"), "."), ",") {
					key, value, _ := strings.Cut(item, "=")
					check("bulk, remembered "+strconv.FormatBool(remembered)+", "+key, want, value)
				}
			}
		})
	}
	for value := uint64(2); value < 100 && ctx.Err() == nil; value++ {
		w.commit(content(value)...)
		w.deliver()
		mu.Lock()
		applied = value
		mu.Unlock()
		time.Sleep(time.Duration(value%5) * 500 * time.Microsecond)
	}
	stop()
	readers.Wait()
	if recalled == 0 {
		t.Error("nothing was ever remembered, so nothing is shown about memory")
	}
}
