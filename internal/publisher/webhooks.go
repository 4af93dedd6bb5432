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

// sources returns the environments that are followed, for webhooks.
func (e *environments) sources() []webhook.Environment {
	var all []webhook.Environment
	for _, running := range e.all() {
		all = append(all, webhook.Environment{Name: running.name, Source: running.control})
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
