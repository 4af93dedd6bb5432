package sending

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics tell how reports fare.
type metrics struct {
	sent    prometheus.Counter
	waiting prometheus.Gauge
	bytes   prometheus.Gauge
	dropped prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		sent:    prometheus.NewCounter(prometheus.CounterOpts{Name: "flagside_usage_reports_sent_total", Help: "Reports of usage that publishers hold."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flagside_usage_reports_waiting", Help: "Reports of usage that wait to be sent."}),
		bytes:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "flagside_usage_reports_waiting_bytes", Help: "Size of the reports of usage that wait."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flagside_usage_reports_dropped_total", Help: "Reports of usage that never reached the publishers: there was no room for more, or a file was damaged.",
		}),
	}
	if err := errors.Join(registry.Register(m.sent), registry.Register(m.waiting), registry.Register(m.bytes), registry.Register(m.dropped)); err != nil {
		return metrics{}, fmt.Errorf("metrics of usage: %w", err)
	}
	return m, nil
}

func (m metrics) note(s *spool) {
	m.waiting.Set(float64(len(s.reports)))
	m.bytes.Set(float64(s.size))
}
