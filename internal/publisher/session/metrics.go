package session

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of an attempt to sign in.
type outcome string

const (
	signedIn outcome = "ok"
	refused  outcome = "refused" // a token, a code or an issuer that does not count
	limited  outcome = "limited" // too many attempts
	failed   outcome = "failed"  // something is out of reach
)

// metrics are those of sessions.
type metrics struct{ signIns *prometheus.CounterVec }

func newMetrics(registry prometheus.Registerer, count *atomic.Int64) (*metrics, error) {
	m := &metrics{signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flagside_console_sign_ins_total",
		Help: "Attempts to sign in to the console at this publisher, by how (token, oidc, dev) and outcome: ok, refused, limited for too many attempts, " +
			"or failed because something could not be reached.",
	}, []string{"how", "outcome"})}
	if registry == nil {
		return m, nil
	}
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flagside_console_sessions",
		Help: "Sessions of the console in the installation, as this publisher counted them within the last minute.",
	}, func() float64 { return float64(count.Load()) })
	for _, c := range []prometheus.Collector{m.signIns, sessions} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
	}
	return m, nil
}
