package publisher

import "github.com/prometheus/client_golang/prometheus"

// diskMetrics returns those of the disk of the embedded server, none without one.
func (p *Publisher) diskMetrics() []prometheus.Collector {
	if p.server == nil {
		return nil
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flagside_disk_full",
			Help: "1 while the embedded NATS server cannot write to its disk and changes are refused, else 0.",
		}, func() float64 {
			if p.server.StorageError() != nil {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flagside_disk_free_ratio",
			Help: "Free share of the volume of the embedded NATS server, 0 to 1. -1 if the system does not report it.",
		}, func() float64 {
			share, known := p.server.FreeShare()
			if !known {
				return -1
			}
			return share
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "flagside_jetstream_restarts_total",
			Help: "Times that the publisher restarted JetStream in place after its disk had been full.",
		}, func() float64 { return float64(p.server.StorageRestarts()) }),
	}
}
