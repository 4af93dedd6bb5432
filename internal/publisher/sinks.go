package publisher

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/publisher/usage/sinks"
)

// newSinks returns what exports usage, which may be to nowhere.
func (p *Publisher) newSinks(registry prometheus.Registerer) (*sinks.Service, error) {
	o := sinks.Options{Replicas: p.options.Replicas, Environments: p.exported, Metrics: registry, Logger: p.logger}
	if p.options.UsageSinks != "" {
		var err error
		if o.File, err = sinks.Open(p.options.UsageSinks, p.logger); err != nil {
			return nil, err
		}
	}
	return sinks.New(o)
}

// exported returns the environments whose usage is kept, for sinks.
func (p *Publisher) exported() (all []sinks.Environment) {
	for _, e := range p.environments.all() {
		if e.usage != nil {
			all = append(all, sinks.Environment{Name: e.name, Open: func(ctx context.Context) (sinks.Reports, error) { return e.openSeries(ctx, p.options) }})
		}
	}
	return all
}

// sinkConditions adds what is wrong with sinks of usage.
func (p *Publisher) sinkConditions(add func(c health.Code, detail string)) {
	if err := p.sinks.Refused(); err != nil {
		add(health.UsageSinksRefused, err.Error())
	}
	now := time.Now()
	for _, detail := range p.sinks.Late(now) {
		add(health.UsageSinkLate, detail)
	}
	for _, detail := range p.sinks.Lost(now) {
		add(health.UsageSinkLost, detail)
	}
}
