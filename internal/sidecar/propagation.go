package sidecar

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/sync/changelog"
)

// propagation is a store that measures how long changes take to arrive in it.
type propagation struct {
	*cache.Store

	seconds prometheus.Histogram
}

func newPropagation(store *cache.Store) *propagation {
	return &propagation{Store: store, seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "flagside_propagation_seconds",
		Help: "Seconds from the time that a publisher wrote into a change until the sidecar served it. Compares two clocks. " +
			"Changes that the sidecar catches up with after its start do not count.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	})}
}

// Apply applies the transactions and measures them, unless they belong to the past that the sidecar is catching up with.
func (p *propagation) Apply(txs []changelog.Transaction) error {
	current := p.Source() == cache.SourceLive
	if err := p.Store.Apply(txs); err != nil {
		return err
	}
	now := time.Now()
	for _, tx := range txs {
		if current && len(tx) > 0 {
			p.seconds.Observe(max(now.Sub(tx[0].Time).Seconds(), 0)) // clocks differ
		}
	}
	return nil
}
