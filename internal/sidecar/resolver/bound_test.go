package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// hurried returns a request of a resolver for which every look at the clock takes a quarter of a second. The
// metrics of w are those of that resolver then.
func hurried(t *testing.T, w *world) *resolver.BulkRequest {
	t.Helper()
	w.metrics = prometheus.NewRegistry()
	looks := 0
	r, err := resolver.New(resolver.Options{Views: w.store, Metrics: w.metrics, Now: func() time.Time {
		looks++
		return time.Unix(1_700_000_000, 0).Add(time.Duration(looks) * 250 * time.Millisecond)
	}})
	if err != nil {
		t.Fatal(err)
	}
	q := new(resolver.BulkRequest)
	if err := r.BeginAll(t.Context(), q, resolver.Headers{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.End)
	return q
}

// evaluateAll returns how many flags were answered, and why not more.
func evaluateAll(ctx context.Context, t *testing.T, q *resolver.BulkRequest, evaluationContext string) (answered int, ended error) {
	t.Helper()
	results, err := q.Results([]byte(evaluationContext))
	if err != nil {
		t.Fatal(err)
	}
	for range results.All(ctx) {
		answered++
	}
	return answered, results.Err()
}

// wantInterrupted compares the counter of interrupted requests.
func wantInterrupted(t *testing.T, w *world, timeout, gone float64) {
	t.Helper()
	const name = "flagside_bulk_requests_interrupted_total"
	if got := w.counter(name, "timeout"); got != timeout {
		t.Errorf("%v requests out of time, want %v", got, timeout)
	}
	if got := w.counter(name, "gone"); got != gone {
		t.Errorf("%v requests of clients that are gone, want %v", got, gone)
	}
}

// manyOf returns n flags with a rule.
func manyOf(n int, targeting string) []string {
	var flags []string
	for i := range n {
		flags = append(flags, fmt.Sprintf("f%04d", i), `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","targeting":`+targeting+`}`)
	}
	return flags
}

func TestABulkAnswerEndsWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t, manyOf(2000, `{"if":[{"==":[{"var":"plan"},"pro"]},"on"]}`)...)
	q := hurried(t, w)
	answered, err := evaluateAll(t.Context(), t, q, `{}`)
	if !errors.Is(err, resolver.ErrTimeout) || answered == 0 || answered == 2000 {
		t.Errorf("after %d flags: %v", answered, err)
	}
	wantInterrupted(t, w, 1, 0)
	w = newWorld(t, manyOf(200, `{"if":[{"==":[{"var":"plan"},"pro"]},"on"]}`)...)
	q = hurried(t, w)
	if answered, err := evaluateAll(t.Context(), t, q, `{}`); answered != 200 || err != nil {
		t.Errorf("after %d flags: %v", answered, err)
	}
	wantInterrupted(t, w, 0, 0)
}

// TestExpensiveFlagsAreWatchedMoreClosely has few flags, each of which takes much work.
func TestExpensiveFlagsAreWatchedMoreClosely(t *testing.T) {
	w := newWorld(t, manyOf(50, `{"if":[{"none":[{"var":"list"},{"==":[{"var":""},2]}]},"on"]}`)...)
	q := hurried(t, w)
	list := `{"list":[1` + strings.Repeat(",1", 30_000) + `]}`
	if answered, err := evaluateAll(t.Context(), t, q, list); !errors.Is(err, resolver.ErrTimeout) || answered > 10 {
		t.Errorf("after %d flags: %v", answered, err)
	}
}

func TestABulkAnswerEndsWhenItsClientIsGone(t *testing.T) {
	w := newWorld(t, manyOf(2000, `{"if":[{"==":[{"var":"plan"},"pro"]},"on"]}`)...)
	q := hurried(t, w)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	answered, err := evaluateAll(ctx, t, q, `{}`)
	if !errors.Is(err, resolver.ErrGone) || !errors.Is(err, context.Canceled) || answered == 2000 {
		t.Errorf("after %d flags: %v", answered, err)
	}
	wantInterrupted(t, w, 0, 1)
}
