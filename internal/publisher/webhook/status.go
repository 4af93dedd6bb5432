package webhook

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flagside/flagside/internal/publisher/api"
)

// failingAfter is how long attempts fail, or events are not copied, until it is a condition.
const failingAfter = 5 * time.Minute

// askedWithin bounds how long the queues are asked for what waits, of a list. What they do not tell by then is as it was known last.
const askedWithin = 5 * time.Second

// List returns the webhooks of the file with the state of their deliveries, by name.
func (s *Service) List(ctx context.Context) []api.Webhook {
	asking, cancel := context.WithTimeout(ctx, askedWithin)
	defer cancel()
	s.askAll(asking)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []api.Webhook{}
	for _, name := range slices.Sorted(maps.Keys(s.targets)) {
		t := s.targets[name]
		w := api.Webhook{
			Name: name, Host: t.webhook.Host(), Format: string(t.webhook.Format), Events: t.webhook.Events, Breaker: t.receiver.breaker.State().String(),
			Environments: []api.WebhookDelivery{},
		}
		for _, environment := range slices.Sorted(maps.Keys(t.deliveries)) {
			if d := t.deliveries[environment]; !isClosed(d.done) {
				w.Environments = append(w.Environments, d.tell())
			}
		}
		list = append(list, w)
	}
	return list
}

// tell returns the state of a delivery. The lock of the service is held.
func (d *runningDelivery) tell() api.WebhookDelivery {
	known := d.known()
	out := api.WebhookDelivery{
		Environment: d.feed.environment, Delivered: known.delivered, Waiting: d.waiting.messages, OldestWaiting: d.waiting.oldest,
		LastDelivered: known.succeeded, State: "ok",
	}
	if !known.begun {
		out.State = "starting"
	}
	if known.lastError != nil {
		out.State, out.LastError, out.FailedAttempts, out.FailingSince = "failing", known.lastError.Error(), known.attempts, known.failing
	}
	if _, err := d.feed.failing(); err != nil {
		out.State, out.LastError = "failing", "events are not copied: "+err.Error()
	}
	return out
}

// Failing says which webhooks have failed for so long that a person should look, a line for each.
func (s *Service) Failing(now time.Time) []string {
	var lines []string
	for _, d := range s.all() {
		known := d.known()
		if known.failing.IsZero() || now.Sub(known.failing) < failingAfter {
			continue
		}
		s.mu.Lock()
		w := d.waiting
		s.mu.Unlock()
		line := fmt.Sprintf("webhook %s (%s), environment %s: %s", d.receiver.webhook.Name, d.receiver.webhook.Host(), d.feed.environment, known.lastError)
		if w.messages > 0 && !w.oldest.IsZero() {
			line += fmt.Sprintf("; %d events wait, the oldest for %s", w.messages, now.Sub(w.oldest).Round(time.Second))
		}
		lines = append(lines, line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.feeds)) {
		if since, err := s.feeds[name].failing(); err != nil && now.Sub(since) >= failingAfter {
			lines = append(lines, fmt.Sprintf("environment %s: events are not copied: %s", name, err))
		}
	}
	return lines
}

// Lost says which events were lost lately, a line for each time.
func (s *Service) Lost(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, l := range s.losses {
		if now.Sub(l.at) < lossShown {
			lines = append(lines, l.what+", at "+l.at.UTC().Format(time.RFC3339))
		}
	}
	return lines
}

// Refused returns why the newest file of webhooks is not in use, or nil.
func (s *Service) Refused() error {
	if s.options.File == nil {
		return nil
	}
	return s.options.File.Err()
}
