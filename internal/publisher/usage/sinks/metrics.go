package sinks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

// metrics are those of all sinks. What waits is what was known when it was last looked; all publishers look.
type metrics struct {
	service *Service

	rows      *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	failures  *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	lost      *prometheus.CounterVec
	malformed *prometheus.CounterVec
	waiting   *prometheus.Desc
	oldest    *prometheus.Desc
}

func newMetrics(s *Service) *metrics {
	label := []string{"sink", "environment"}
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(label[:2:2], more...))
	}
	return &metrics{
		service: s,
		rows:    counter("flagside_usage_sink_rows_total", "Rows of usage that this publisher has written to a sink, by series; some twice after an interruption.", "series"),
		bytes:   counter("flagside_usage_sink_bytes_total", "Bytes that this publisher has written to a sink, compressed."),
		failures: counter("flagside_usage_sink_failures_total",
			"Attempts to write to a sink that failed and are made again."),
		rejected: counter("flagside_usage_sink_rejected_rows_total",
			"Rows that the receiver of a sink has rejected for good."),
		lost: counter("flagside_usage_sink_lost_reports_total",
			"Reports that were removed before a sink had them, because they were 72 hours old or there was no room."),
		malformed: counter("flagside_usage_sink_malformed_reports_total",
			"Reports that could not be read and were left out."),
		waiting: prometheus.NewDesc("flagside_usage_sink_waiting_reports", "Reports of usage that a sink has not got yet.", label, nil),
		oldest: prometheus.NewDesc("flagside_usage_sink_oldest_waiting_seconds",
			"Age of the oldest report that a sink has not got yet; 0 if none waits. It is usual up to the time for which the sink gathers reports.", label, nil),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m, m.rows, m.bytes, m.failures, m.rejected, m.lost, m.malformed}
}

// counters are those of a sink and an environment. What they count after forget is not seen any more.
type counters struct {
	rows                                       map[rows.Series]prometheus.Counter
	bytes, failures, rejected, lost, malformed prometheus.Counter
}

// begin has the counters of a sink be there, so that the first loss is seen as a growth.
func (m *metrics) begin(sink, environment string) counters {
	c := counters{
		rows:     make(map[rows.Series]prometheus.Counter),
		bytes:    m.bytes.WithLabelValues(sink, environment),
		failures: m.failures.WithLabelValues(sink, environment),
		rejected: m.rejected.WithLabelValues(sink, environment),
		lost:     m.lost.WithLabelValues(sink, environment), malformed: m.malformed.WithLabelValues(sink, environment),
	}
	for _, s := range rows.All() {
		c.rows[s] = m.rows.WithLabelValues(sink, environment, string(s))
	}
	return c
}

// forget drops what was counted of a sink that does not get the usage of an environment any more.
func (m *metrics) forget(sink, environment string) {
	for _, c := range []*prometheus.CounterVec{m.rows, m.bytes, m.failures, m.rejected, m.lost, m.malformed} {
		c.DeletePartialMatch(prometheus.Labels{"sink": sink, "environment": environment})
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.waiting
	out <- m.oldest
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, r := range m.service.all() {
		k := r.known()
		age := 0.0
		if !k.oldest.IsZero() {
			age = max(time.Since(k.oldest).Seconds(), 0)
		}
		out <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(k.reports), r.tally.sink, r.environment)
		out <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, age, r.tally.sink, r.environment)
	}
}
