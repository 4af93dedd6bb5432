package resolver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
)

// counts counts evaluations, barriers and stale answers. Every series exists from the start, so that counting is one atomic addition and a rate is never missing
// its first increment. The maps are not modified after newCounts.
type counts struct {
	reasons map[eval.Reason]prometheus.Counter
	codes   map[eval.ErrorCode]prometheus.Counter
	stale   map[eval.OnUnreachable]prometheus.Counter
	ended   map[cause]map[outcome]prometheus.Counter
}

// cause says for whom a barrier was made.
type cause string

const (
	causeRequest cause = "request" // its answer waited
	causeRefresh cause = "refresh" // nobody waited
)

// outcome says how a barrier ended.
type outcome string

const (
	outcomeConfirmed outcome = "confirmed"
	outcomeTimeout   outcome = "timeout"
	outcomeFailed    outcome = "failed"
)

// reasons lists every reason that an evaluation can have.
func reasons() []eval.Reason {
	return []eval.Reason{
		eval.ReasonStatic, eval.ReasonDefault, eval.ReasonTargetingMatch, eval.ReasonSplit, eval.ReasonDisabled,
		eval.ReasonCached, eval.ReasonStale, eval.ReasonUnknown, eval.ReasonError,
	}
}

// codes lists every error code that an evaluation can have.
func codes() []eval.ErrorCode {
	return []eval.ErrorCode{
		eval.ErrorProviderNotReady, eval.ErrorFlagNotFound, eval.ErrorParse, eval.ErrorTypeMismatch,
		eval.ErrorTargetingKeyMissing, eval.ErrorInvalidContext, eval.ErrorGeneral,
	}
}

// newCounts registers the counters. Their label values are those of OpenTelemetry's semantic conventions for feature flags.
func newCounts(metrics prometheus.Registerer) (counts, error) {
	byReason := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_evaluations_total",
		Help: "Evaluations by reason; each flag of a bulk answer is one.",
	}, []string{"reason"})
	byCode := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_evaluation_errors_total",
		Help: "Evaluations with the reason error, by error code.",
	}, []string{"code"})
	stale := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_stale_answers_total",
		Help: "Evaluations whose flag demanded fresher knowledge than could be had, by what was answered instead.",
	}, []string{"answer"})
	barriers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_freshness_barriers_total",
		Help: "Times that evaluations asked where the log ends, by cause and by how it ended.",
	}, []string{"cause", "outcome"})
	err := errors.Join(metrics.Register(byReason), metrics.Register(byCode), metrics.Register(stale), metrics.Register(barriers))
	if err != nil {
		return counts{}, fmt.Errorf("evaluation metrics: %w", err)
	}
	c := counts{
		reasons: make(map[eval.Reason]prometheus.Counter),
		codes:   make(map[eval.ErrorCode]prometheus.Counter),
		stale:   make(map[eval.OnUnreachable]prometheus.Counter),
		ended:   make(map[cause]map[outcome]prometheus.Counter),
	}
	for _, reason := range reasons() {
		c.reasons[reason] = byReason.WithLabelValues(strings.ToLower(string(reason)))
	}
	for _, code := range codes() {
		c.codes[code] = byCode.WithLabelValues(strings.ToLower(string(code)))
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

// result counts the result of an evaluation. A reason that is not known here counts as unknown.
func (c *counts) result(r *eval.Result) {
	if r.ErrorCode != "" {
		c.failure(r.ErrorCode)
		return
	}
	counter, known := c.reasons[r.Reason]
	if !known {
		counter = c.reasons[eval.ReasonUnknown]
	}
	counter.Inc()
}

// failure counts an evaluation that ended with the code. A code that is not known here counts as general.
func (c *counts) failure(code eval.ErrorCode) {
	counter, known := c.codes[code]
	if !known {
		counter = c.codes[eval.ErrorGeneral]
	}
	counter.Inc()
	c.reasons[eval.ReasonError].Inc()
}
