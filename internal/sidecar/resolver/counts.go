package resolver

import (
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
)

// counts counts evaluations. Every series exists from the start, so that counting is one atomic addition and a rate is never missing
// its first increment. The maps are not modified after newCounts.
type counts struct {
	reasons map[eval.Reason]prometheus.Counter
	codes   map[eval.ErrorCode]prometheus.Counter
}

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
	if err := errors.Join(metrics.Register(byReason), metrics.Register(byCode)); err != nil {
		return counts{}, err
	}
	c := counts{
		reasons: make(map[eval.Reason]prometheus.Counter),
		codes:   make(map[eval.ErrorCode]prometheus.Counter),
	}
	for _, reason := range reasons() {
		c.reasons[reason] = byReason.WithLabelValues(strings.ToLower(string(reason)))
	}
	for _, code := range codes() {
		c.codes[code] = byCode.WithLabelValues(strings.ToLower(string(code)))
	}
	return c, nil
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
