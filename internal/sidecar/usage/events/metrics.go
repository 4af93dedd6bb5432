package events

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics tell how exposures and outcomes fare.
type metrics struct {
	exposures, noKey, full, rate prometheus.Counter
	outcomes, refused            prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_usage_exposures_dropped_total",
		Help: "Evaluations whose exposure is not reported: no_key without a key for exposures, full because too many wait, rate because of --event-rate.",
	}, []string{"reason"})
	m := metrics{
		exposures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flagside_usage_exposures_total", Help: "Exposures to be reported: each subject, flag, variant and revision once in 24 hours.",
		}),
		noKey: dropped.WithLabelValues("no_key"),
		full:  dropped.WithLabelValues("full"),
		rate:  dropped.WithLabelValues("rate"),
		outcomes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flagside_usage_outcomes_total", Help: "Outcomes to be reported, which applications told at /v1/events.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flagside_usage_outcomes_refused_total", Help: "Outcomes that were not taken, because too many wait (503) or because of --event-rate (429).",
		}),
	}
	if err := errors.Join(registry.Register(dropped), registry.Register(m.exposures), registry.Register(m.outcomes), registry.Register(m.refused)); err != nil {
		return metrics{}, fmt.Errorf("metrics of events: %w", err)
	}
	return m, nil
}
