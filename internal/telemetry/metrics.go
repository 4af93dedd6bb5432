package telemetry

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a metrics registry of the component's own, such as "sidecar", with the metrics of the Go runtime and of the
// process, and with flagside_build_info, which is always 1 and names component and version.
func NewRegistry(component string) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "flagside_build_info",
		Help:        "Always 1. The labels name the program and its version.",
		ConstLabels: prometheus.Labels{"component": component, "version": Version()},
	})
	info.Set(1)
	for _, collector := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info,
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("metrics of %s: %w", component, err)
		}
	}
	return registry, nil
}
