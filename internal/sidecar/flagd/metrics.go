package flagd

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of the servers. Create them with NewMetrics.
type Metrics struct {
	panics  prometheus.Counter
	streams *prometheus.GaugeVec
	refused *prometheus.CounterVec
	busy    *prometheus.CounterVec
	ended   *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flagside_rpc_panics_total",
			Help: "RPCs answered with INTERNAL because the sidecar has a bug.",
		}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flagside_rpc_streams",
			Help: "Open streams of flagd providers.",
		}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_rpc_connections_refused_total",
			Help: "Connections of flagd providers that were closed because too many were open.",
		}, []string{"server"}),
		busy: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_rpc_requests_shed_total",
			Help: "RPCs refused with RESOURCE_EXHAUSTED because --in-flight-memory was used up.",
		}, []string{"server"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flagside_rpc_streams_displaced_total",
			Help: "Streams of flagd providers that were ended with RESOURCE_EXHAUSTED to make room for another client.",
		}, []string{"kind"}),
	}
	if err := errors.Join(registerer.Register(m.panics), registerer.Register(m.streams), registerer.Register(m.refused), registerer.Register(m.busy), registerer.Register(m.ended)); err != nil {
		return nil, fmt.Errorf("flagd metrics: %w", err)
	}
	return m, nil
}

// Busy counts a request or a message that was refused because too much was under way.
func (m *Metrics) Busy(server string) { m.busy.WithLabelValues(server).Inc() }

// Refused counts a connection that was closed because too many were open.
func (m *Metrics) Refused(server string) { m.refused.WithLabelValues(server).Inc() }
