package resolver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
)

// counts counts evaluations, barriers, stale answers and remembered ones. Every series exists from the start, so that counting is one
// atomic addition and a rate is never missing its first increment. The maps are not modified after newCounts.
type counts struct {
	kinds [kinds]prometheus.Counter
	err   prometheus.Counter // the reason that goes with every error code
	stale map[eval.OnUnreachable]prometheus.Counter
	ended map[cause]map[outcome]prometheus.Counter
	hit   prometheus.Counter
	miss  prometheus.Counter

	unchanged prometheus.Counter
}

// cause says for whom a barrier was made.
type cause string

const (
	causeRequest cause = "request" // its answer waited
	causeRefresh cause = "refresh" // nothing waited
)

// outcome says how a barrier ended.
type outcome string

const (
	outcomeConfirmed outcome = "confirmed"
	outcomeTimeout   outcome = "timeout"
	outcomeFailed    outcome = "failed"
)

// newCounts registers the counters. Their label values are those of OpenTelemetry's semantic conventions for feature flags.
func newCounts(metrics prometheus.Registerer) (counts, error) {
	byReason := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_evaluations_total",
		Help: "Evaluations by reason. Each flag of a bulk answer counts as one.",
	}, []string{"reason"})
	byCode := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_evaluation_errors_total",
		Help: "Evaluations that failed, by error code.",
	}, []string{"code"})
	stale := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_stale_answers_total",
		Help: "Evaluations whose flag demanded fresher data than was available, by what was answered instead.",
	}, []string{"answer"})
	barriers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_freshness_barriers_total",
		Help: "Barriers: questions to the change log whether newer revisions exist. Cause request held up an answer, refresh did not.",
	}, []string{"cause", "outcome"})
	remembered := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_bulk_cache_lookups_total",
		Help: "Bulk requests that were looked up in the cache, by result: hit or miss.",
	}, []string{"result"})
	unchanged := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flagside_bulk_not_modified_total",
		Help: "Bulk requests answered with 304 Not Modified without evaluating a flag.",
	})
	err := errors.Join(metrics.Register(byReason), metrics.Register(byCode), metrics.Register(stale), metrics.Register(barriers),
		metrics.Register(remembered), metrics.Register(unchanged))
	if err != nil {
		return counts{}, fmt.Errorf("evaluation metrics: %w", err)
	}
	c := counts{
		err:   byReason.WithLabelValues("error"),
		stale: make(map[eval.OnUnreachable]prometheus.Counter),
		ended: make(map[cause]map[outcome]prometheus.Counter),
		hit:   remembered.WithLabelValues("hit"),
		miss:  remembered.WithLabelValues("miss"),

		unchanged: unchanged,
	}
	for i, reason := range reasons() {
		c.kinds[i] = byReason.WithLabelValues(strings.ToLower(string(reason)))
	}
	for i, code := range codes() {
		c.kinds[reasonKinds+i] = byCode.WithLabelValues(strings.ToLower(string(code)))
	}
	for _, answer := range []eval.OnUnreachable{eval.OnUnreachableServeStale, eval.OnUnreachableDefaultVariant, eval.OnUnreachableError} {
		c.stale[answer] = stale.WithLabelValues(string(answer))
	}
	for _, why := range []cause{causeRequest, causeRefresh} {
		c.ended[why] = make(map[outcome]prometheus.Counter)
		for _, how := range []outcome{outcomeConfirmed, outcomeTimeout, outcomeFailed} {
			c.ended[why][how] = barriers.WithLabelValues(string(why), string(how))
		}
	}
	return c, nil
}

// barrier counts a barrier that ended with err.
func (c *counts) barrier(why cause, err error) {
	how := outcomeFailed
	switch {
	case err == nil:
		how = outcomeConfirmed
	case errors.Is(err, context.DeadlineExceeded):
		how = outcomeTimeout
	}
	c.ended[why][how].Inc()
}

// evaluation counts one evaluation.
func (c *counts) evaluation(k kind) {
	c.kinds[k].Inc()
	if k >= reasonKinds {
		c.err.Inc()
	}
}

// evaluations counts many evaluations.
func (c *counts) evaluations(t *tally) {
	for k, n := range t {
		if n == 0 {
			continue
		}
		c.kinds[k].Add(float64(n))
		if k >= reasonKinds {
			c.err.Add(float64(n))
		}
	}
}

// failure counts an evaluation that ended with the code.
func (c *counts) failure(code eval.ErrorCode) { c.evaluation(kindOfCode(code)) }
