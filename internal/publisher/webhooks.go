package publisher

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/webhook"
)

// newWebhooks returns what tells receivers of events, which may be none.
func (p *Publisher) newWebhooks(registry prometheus.Registerer) (*webhook.Service, error) {
	o := webhook.Options{
		Installation: p.keys.Keyring().Installation(), Replicas: p.options.Replicas, Environments: p.environments.sources,
		NameOf:  func(id string) (string, bool) { return access.NameOf(p.gate.tokens, p.gate.people, id) },
		Metrics: registry, Logger: p.logger,
	}
	if p.options.Webhooks != "" {
		var err error
		if o.File, err = webhook.Open(p.options.Webhooks, p.logger); err != nil {
			return nil, err
		}
	}
	return webhook.New(o)
}

// sources returns the environments that may have something to tell webhooks: those that are followed, and those that are archived.
func (e *environments) sources() []webhook.Environment {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []webhook.Environment
	for name, running := range e.running {
		all = append(all, webhook.Environment{Name: name, Source: running.control, Created: e.known[name].Created})
	}
	for name, known := range e.known {
		if !known.Archived.IsZero() && known.Destroyed.IsZero() && e.running[name] == nil {
			all = append(all, webhook.Environment{Name: name})
		}
	}
	return all
}

// webhookConditions adds what is wrong with webhooks.
func (p *Publisher) webhookConditions(add func(c health.Code, detail string)) {
	if err := p.webhooks.Refused(); err != nil {
		add(health.WebhooksRefused, err.Error())
	}
	now := time.Now()
	for _, detail := range p.webhooks.Failing(now) {
		add(health.WebhookFailing, detail)
	}
	for _, detail := range p.webhooks.Lost(now) {
		add(health.WebhookLost, detail)
	}
}
