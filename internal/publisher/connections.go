package publisher

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The limits of the API's connections.
const (
	readHeaderTimeout = 5 * time.Second
	// readTimeout is how long a request with a body may take to arrive, snapshots included.
	readTimeout = 2 * time.Minute
	// writeStall is how long a client may take nothing of an answer, which may be of any length.
	writeStall     = 20 * time.Second
	idleTimeout    = time.Minute
	maxHeaderBytes = 64 << 10
	// maxRequests is how many requests may be under way at the same time on one connection of HTTP/2.
	maxRequests = 100
	// maxConnections leaves file descriptors for sidecars and streams.
	maxConnections = 256
)

// newRefused returns what counts connections that are closed because too many are open.
func newRefused() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flagside_api_connections_refused_total",
		Help: "API connections that were closed because too many were open.",
	})
}

// newBusy returns what counts requests that there was no memory for.
func newBusy() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flagside_api_requests_shed_total",
		Help: "API requests answered with 503 because --in-flight-memory was used up.",
	})
}
