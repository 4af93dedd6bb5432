package resolver_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

const flags = `{"flags":{
  "a": {"state":"ENABLED","variants":{"x":1},"defaultVariant":"x","metadata":{"flagSetId":"web"}},
  "b": {"state":"ENABLED","variants":{"x":1},"defaultVariant":"x"}
}}`

// views counts how often it is asked for the store's view.
type views struct {
	*cache.Store

	asked int
}

func (v *views) View() *cache.View {
	v.asked++
	return v.Store.View()
}

func newViews(t *testing.T) *views {
	t.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &views{Store: store}
}

func (v *views) load(t *testing.T, content string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.LoadBootstrap(path); err != nil {
		t.Fatal(err)
	}
}

func newResolver(t *testing.T, v resolver.Views) *resolver.Resolver {
	t.Helper()
	r, err := resolver.New(resolver.Options{Views: v, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReady(t *testing.T) {
	v := newViews(t)
	r := newResolver(t, v)
	if err := r.Ready(); !errors.Is(err, resolver.ErrNotReady) {
		t.Errorf("without a view: %v", err)
	}
	if err := r.Begin(t.Context(), new(resolver.Request), []byte("a"), resolver.Headers{}); !errors.Is(err, resolver.ErrNotReady) {
		t.Errorf("a request begins with %v", err)
	}
	v.load(t, flags)
	if err := r.Ready(); err != nil {
		t.Errorf("with a view: %v", err)
	}
	asked := v.asked
	if err := r.Ready(); err != nil || v.asked != asked {
		t.Errorf("asked again: %v, %d views", err, v.asked-asked)
	}
}

func TestAnEmptySetIsReady(t *testing.T) {
	v := newViews(t)
	v.load(t, `{"flags":{}}`)
	if err := newResolver(t, v).Ready(); err != nil {
		t.Error(err)
	}
}

// A view whose evaluation panics is not ready.
func TestTheTrialEvaluationCounts(t *testing.T) {
	err := newResolver(t, damaged{}).Ready()
	if err == nil || !strings.Contains(err.Error(), "trial evaluation") {
		t.Errorf("error %v", err)
	}
}

// damaged gives a view without rules, which cannot be evaluated.
type damaged struct{}

func (damaged) View() *cache.View { return new(cache.View) }

func TestARequestSeesOneView(t *testing.T) {
	v := newViews(t)
	v.load(t, flags)
	r := newResolver(t, v)
	var q resolver.BulkRequest
	if err := r.BeginAll(t.Context(), &q, resolver.Headers{}); err != nil {
		t.Fatal(err)
	}
	defer q.End()
	results, err := q.Results([]byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range results.All(t.Context()) {
		n++
	}
	if v.asked != 1 || n != 2 {
		t.Errorf("%d views for %d results", v.asked, n)
	}
}

// A request that is used again remembers neither the context nor the selection.
func TestARequestForgets(t *testing.T) {
	v := newViews(t)
	v.load(t, `{"flags":{"a":{"state":"ENABLED","variants":{"gold":1,"none":2},"defaultVariant":"none","targeting":{"var":"plan"}}}}`)
	r := newResolver(t, v)
	var q resolver.Request
	evaluate := func(context, selector string) eval.Result {
		t.Helper()
		if err := r.Begin(t.Context(), &q, []byte("a"), resolver.Headers{Selector: []byte(selector)}); err != nil {
			t.Fatal(err)
		}
		defer q.End()
		return answer(t, &q, context)
	}
	if got := evaluate(`{"plan":"gold"}`, ""); string(got.Value()) != "1" {
		t.Errorf("value %s", got.Value())
	}
	if got := evaluate(``, "flagSetId=other"); got.ErrorCode != eval.ErrorFlagNotFound || string(got.Metadata) != `{"flagSetId":"other"}` {
		t.Errorf("result %+v", got)
	}
	if got := evaluate(``, ""); string(got.Value()) != "2" {
		t.Errorf("value %s", got.Value())
	}
}

func TestErrorsAreTold(t *testing.T) {
	v := newViews(t)
	v.load(t, flags)
	r := newResolver(t, v)
	var q resolver.Request
	for _, selector := range []string{"other=x", "source=x", "x"} {
		err := r.Begin(t.Context(), &q, []byte("a"), resolver.Headers{Selector: []byte(selector)})
		if !errors.Is(err, resolver.ErrSelector) {
			t.Errorf("selector %q: %v", selector, err)
		}
	}
	begin(t, r, &q, "a")
	defer q.End()
	if _, err := q.Answer([]byte(`{"a":`)); !errors.Is(err, eval.ErrInvalidContext) {
		t.Errorf("context: %v", err)
	}
}
