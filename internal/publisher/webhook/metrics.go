package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of all webhooks. What waits is what was known when it was last looked.
type metrics struct {
	service  *Service
	copied   *prometheus.CounterVec
	attempts *prometheus.CounterVec
	lost     *prometheus.CounterVec

	waiting *prometheus.Desc
	oldest  *prometheus.Desc
}

func newMetrics(s *Service) *metrics {
	label := []string{"webhook", "environment"}
	return &metrics{
		service: s,
		copied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_webhook_events_copied_total",
			Help: "Events that this publisher has copied into the queue of webhooks.",
		}, []string{"environment"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_webhook_deliveries_total",
			Help: "Attempts to deliver an event to a webhook, by outcome: delivered, or failed and tried again.",
		}, append(label, "outcome")),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_webhook_events_lost_total",
			Help: "Events that expired before the receiver of a webhook had them.",
		}, label),
		waiting: prometheus.NewDesc("flagside_webhook_waiting_events", "Events that a webhook has not got yet, and those that it does not want.", label, nil),
		oldest: prometheus.NewDesc("flagside_webhook_oldest_waiting_seconds",
			"Age of the oldest event that a webhook has not got yet; 0 if none waits.", label, nil),
	}
}

// counters are those of a webhook and an environment. What they count after forget is not seen any more.
type counters struct{ delivered, failed, lost prometheus.Counter }

// begin has the counters of a webhook be there, so that the first loss is seen as a growth.
func (m *metrics) begin(webhook, environment string) counters {
	return counters{
		delivered: m.attempts.WithLabelValues(webhook, environment, "delivered"), failed: m.attempts.WithLabelValues(webhook, environment, "failed"),
		lost: m.lost.WithLabelValues(webhook, environment),
	}
}

// forget drops what was counted of a webhook that is told nothing of an environment any more.
func (m *metrics) forget(webhook, environment string) {
	for _, c := range []*prometheus.CounterVec{m.attempts, m.lost} {
		c.DeletePartialMatch(prometheus.Labels{"webhook": webhook, "environment": environment})
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.waiting
	out <- m.oldest
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, d := range m.service.all() {
		m.service.mu.Lock()
		w := d.waiting
		m.service.mu.Unlock()
		age := 0.0
		if !w.oldest.IsZero() {
			age = time.Since(w.oldest).Seconds()
		}
		labels := []string{d.receiver.webhook.Name, d.feed.environment}
		out <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(w.messages), labels...)
		out <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, age, labels...)
	}
}
