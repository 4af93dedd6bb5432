package gate

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the metrics of a gate.
type metrics struct {
	http, grpc                                                                  prometheus.Observer // seconds of a request
	evaluations, failed, left, spoofed, refused, minted, forged, broken, panics prometheus.Counter
}

// The faces of a gate, in metrics and log lines.
const (
	faceHTTP = "http"
	faceGRPC = "grpc"
)

func newMetrics(registry prometheus.Registerer) (m metrics, err error) {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "flagside_gate_" + name, Help: help})
		err = errors.Join(err, registry.Register(c))
		return c
	}
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "flagside_gate_request_seconds", Help: "Time to answer a proxy, over HTTP or gRPC.", Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, 1},
	}, []string{"face"})
	err = registry.Register(seconds)
	m.http, m.grpc = seconds.WithLabelValues(faceHTTP), seconds.WithLabelValues(faceGRPC)
	m.evaluations = counter("evaluations_total", "Flags evaluated for proxies.")
	m.failed = counter("evaluations_failed_total", "Flags that could not be evaluated for a proxy, so that the answer did not have them.")
	m.left = counter("headers_left_out_total", "Header fields of flags that an answer had no room for.")
	m.spoofed = counter("spoofed_headers_total", "Header fields in requests that have the name of a flag: visitors sent them.")
	m.refused = counter("context_values_refused_total", "Values and targets in requests that were too long or could not be read, and left out.")
	m.minted = counter("visitors_total", "Visitors that got a cookie with a new id.")
	m.forged = counter("visitors_refused_total", "Cookies of visitors that no key has signed, and were replaced.")
	m.broken = counter("requests_malformed_total", "Requests that were not well-formed, and were answered without flags.")
	m.panics = counter("panics_total", "Requests answered without flags because the sidecar has a bug.")
	if err != nil {
		err = fmt.Errorf("gate metrics: %w", err)
	}
	return m, err
}
