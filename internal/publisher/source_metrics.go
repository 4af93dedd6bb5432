package publisher

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/publisher/following"
)

// sourceMetrics are those of the sources, read when they are scraped.
type sourceMetrics struct{ publisher *Publisher }

func sourceState() *prometheus.Desc {
	return prometheus.NewDesc("flagside_source_state",
		"1 for the state that a source is in, 0 for the others: starting, applied, waiting-for-approval, delayed, broken, missing, conflict, behind or refused.",
		[]string{"environment", "source", "state"}, nil)
}

func sourceApplied() *prometheus.Desc {
	return prometheus.NewDesc("flagside_source_applied_timestamp_seconds",
		"When the environment was last found to be as the source says, in seconds since 1970. Absent if it never was.", []string{"environment", "source"}, nil)
}

func sourceDocuments() *prometheus.Desc {
	return prometheus.NewDesc("flagside_source_documents", "Number of documents that the source owns.", []string{"environment", "source"}, nil)
}

// Describe implements prometheus.Collector.
func (sourceMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- sourceState()
	out <- sourceApplied()
	out <- sourceDocuments()
}

// Collect implements prometheus.Collector.
func (m sourceMetrics) Collect(out chan<- prometheus.Metric) {
	for _, s := range m.publisher.Sources("") {
		for _, state := range following.States() {
			value := 0.0
			if s.State == state {
				value = 1
			}
			out <- prometheus.MustNewConstMetric(sourceState(), prometheus.GaugeValue, value, s.Environment, s.Name(), string(state))
		}
		out <- prometheus.MustNewConstMetric(sourceDocuments(), prometheus.GaugeValue, float64(s.Owned), s.Environment, s.Name())
		if !s.Applied.IsZero() {
			out <- prometheus.MustNewConstMetric(sourceApplied(), prometheus.GaugeValue, float64(s.Applied.UnixMilli())/1000, s.Environment, s.Name())
		}
	}
}
