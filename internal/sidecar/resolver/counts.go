package resolver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// counts counts evaluations, barriers, stale answers and remembered ones. Every series exists from the start, so that counting is one
// atomic addition and a rate is never missing its first increment. The maps are not modified after newCounts.
type counts struct {
	ended [usage.OutcomeCount]prometheus.Counter
	err   prometheus.Counter // the reason that goes with every error code
	stale map[eval.OnUnreachable]prometheus.Counter
	asked map[cause]map[outcome]prometheus.Counter
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
		asked: make(map[cause]map[outcome]prometheus.Counter),
		hit:   remembered.WithLabelValues("hit"),
		miss:  remembered.WithLabelValues("miss"),

		unchanged: unchanged,
	}
	for i, reason := range usage.Reasons() {
		c.ended[i] = byReason.WithLabelValues(strings.ToLower(string(reason)))
	}
	for i, code := range usage.Codes() {
		c.ended[usage.ReasonCount+i] = byCode.WithLabelValues(strings.ToLower(string(code)))
	}
	for _, answer := range []eval.OnUnreachable{eval.OnUnreachableServeStale, eval.OnUnreachableDefaultVariant, eval.OnUnreachableError} {
		c.stale[answer] = stale.WithLabelValues(string(answer))
	}
	for _, why := range []cause{causeRequest, causeRefresh} {
		c.asked[why] = make(map[outcome]prometheus.Counter)
		for _, how := range []outcome{outcomeConfirmed, outcomeTimeout, outcomeFailed} {
			c.asked[why][how] = barriers.WithLabelValues(string(why), string(how))
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
	c.asked[why][how].Inc()
}

// evaluation counts one evaluation.
func (c *counts) evaluation(o usage.Outcome) {
	c.ended[o].Inc()
	if o.Failed() {
		c.err.Inc()
	}
}

// evaluations counts many evaluations.
func (c *counts) evaluations(t *tally) {
	for o, n := range t {
		if n == 0 {
			continue
		}
		c.ended[o].Add(float64(n))
		if o >= usage.ReasonCount {
			c.err.Add(float64(n))
		}
	}
}

// failure counts an evaluation that ended with the code.
func (c *counts) failure(code eval.ErrorCode) { c.evaluation(usage.OutcomeOfCode(code)) }
