package resolver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultTimeout is how long the flags of one request are evaluated unless the options say otherwise.
const DefaultTimeout = time.Second

// ErrTimeout says that evaluating all flags took longer than a request may take.
var ErrTimeout = errors.New("evaluating all flags took longer than a request may take (--request-timeout)")

// ErrGone says that the client left before all flags were evaluated.
var ErrGone = errors.New("the client is gone")

// The clock is read after this many flags, or as soon as they took that much work, in nodes. So it costs next to nothing when flags are
// simple, and a request ends a few milliseconds after its time when they are not.
const (
	flagsPerLook = 256
	workPerLook  = 20_000
)

// watch ends a bulk answer when its time is over or its client is gone. It is made by Request.watch.
type watch struct {
	now     func() time.Time
	timeout time.Duration
	until   time.Time // a reading of now
	flags   int       // since the last look, as is work
	work    int
}

// watch begins to watch a bulk answer. What came before, such as waiting for fresher knowledge, has bounds of its own.
func (q *request) watch() watch {
	r := q.resolver
	return watch{now: r.now, timeout: r.timeout, until: r.now().Add(r.timeout)}
}

// evaluated notes a flag, and returns why no other is to be evaluated. It wraps ErrTimeout or ErrGone.
func (w *watch) evaluated(ctx context.Context, work int) error {
	w.flags++
	w.work += work
	if w.flags < flagsPerLook && w.work < workPerLook {
		return nil
	}
	w.flags, w.work = 0, 0
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if w.now().After(w.until) {
		return fmt.Errorf("%w: the limit is %v", ErrTimeout, w.timeout)
	}
	return nil
}

// interruptions counts bulk answers that ended before their end.
type interruptions struct{ timeout, gone prometheus.Counter }

func newInterruptions(metrics prometheus.Registerer) (interruptions, error) {
	ended := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_bulk_requests_interrupted_total",
		Help: "Bulk requests that ended before all flags were evaluated: timeout after --request-timeout, gone when the client left.",
	}, []string{"cause"})
	if err := metrics.Register(ended); err != nil {
		return interruptions{}, fmt.Errorf("metrics of interrupted requests: %w", err)
	}
	return interruptions{timeout: ended.WithLabelValues("timeout"), gone: ended.WithLabelValues("gone")}, nil
}

func (i interruptions) count(err error) {
	if errors.Is(err, ErrTimeout) {
		i.timeout.Inc()
		return
	}
	i.gone.Inc()
}
