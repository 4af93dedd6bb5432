package publisher

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// usageMetrics tell how far the usage of environments was folded. They are read when they are scraped. All publishers show what all have folded.
type usageMetrics struct {
	environments *environments

	reports *prometheus.Desc
	lost    *prometheus.Desc
	events  *prometheus.Desc
	waiting *prometheus.Desc
	behind  *prometheus.Desc
	parts   *prometheus.Desc
	bytes   *prometheus.Desc
}

func newUsageMetrics(e *environments) *usageMetrics {
	label := []string{"environment"}
	return &usageMetrics{
		environments: e,
		reports: prometheus.NewDesc("flagside_usage_reports_total",
			"Reports of usage by outcome, at all publishers together: folded, duplicate, malformed, or missed because the stream removed them before.",
			[]string{"environment", "outcome"}, nil),
		lost: prometheus.NewDesc("flagside_usage_lost_evaluations_total", "Evaluations that sidecars say they have counted and could not report.", label, nil),
		events: prometheus.NewDesc("flagside_usage_lost_events_total",
			"Events that sidecars say they could not report, by kind: exposures, and outcomes, also those that were refused and sent again.", []string{"environment", "kind"}, nil),
		waiting: prometheus.NewDesc("flagside_usage_reports_waiting", "Reports of usage that have come and were not folded yet.", label, nil),
		behind:  prometheus.NewDesc("flagside_usage_behind_seconds", "Seconds since everything that had come was folded. Absent until the usage was read.", label, nil),
		parts:   prometheus.NewDesc("flagside_usage_stored_parts", "Parts of segments, last uses and the place in the stream of series.", label, nil),
		bytes:   prometheus.NewDesc("flagside_usage_stored_bytes", "Size of the stream of series.", label, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *usageMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.reports, m.lost, m.events, m.waiting, m.behind, m.parts, m.bytes} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *usageMetrics) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	for _, e := range m.environments.all() {
		if e.usage == nil {
			continue
		}
		k := e.usage.Known()
		if !k.Read {
			continue
		}
		for outcome, n := range map[string]uint64{
			"folded": k.Place.Reports, "duplicate": k.Place.Duplicates, "malformed": k.Place.Malformed, "missed": k.Place.Missed,
		} {
			send(m.reports, prometheus.CounterValue, float64(n), e.name, outcome)
		}
		send(m.lost, prometheus.CounterValue, float64(k.Place.Lost.Evaluations), e.name)
		send(m.events, prometheus.CounterValue, float64(k.Place.Lost.Exposures), e.name, "exposures")
		send(m.events, prometheus.CounterValue, float64(k.Place.Lost.Outcomes), e.name, "outcomes")
		send(m.waiting, prometheus.GaugeValue, float64(k.Waiting), e.name)
		behind := 0.0
		if k.Waiting > 0 {
			behind = max(time.Since(k.WaitingSince).Seconds(), 0)
		}
		send(m.behind, prometheus.GaugeValue, behind, e.name)
		send(m.parts, prometheus.GaugeValue, float64(k.State.Documents), e.name)
		send(m.bytes, prometheus.GaugeValue, float64(k.State.Bytes), e.name)
	}
}
