package cli

import (
	"context"
	"errors"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func webhookCommands() []commandline.Command {
	return []commandline.Command{
		command("webhook list", "list the webhooks, and how events reach them", webhookList),
		command("webhook test", "send a test event to a webhook", webhookTest),
	}
}

func webhookList() commandline.Invocation {
	f := newForm("webhook list", "Lists the webhooks that the publisher's file names, a line for each environment, without secrets. "+
		"Publishers share the work: errors are those of the one that answers.")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.Webhooks(ctx)
		var rows []webhookRow
		for _, w := range found.Items {
			for _, e := range w.Environments {
				rows = append(rows, webhookRow{w, e})
			}
			if len(w.Environments) == 0 {
				rows = append(rows, webhookRow{Webhook: w})
			}
		}
		return s.answer(found, err, list("WEBHOOK|ENVIRONMENT|HOST|FORMAT|STATE|WAITING|OLDEST|LAST DELIVERED|BREAKER|ERROR", rows, webhookRow.cells))
	})
}

// webhookRow is a webhook and one of its environments.
type webhookRow struct {
	api.Webhook

	delivery api.WebhookDelivery
}

func (r webhookRow) cells() []string {
	d := r.delivery
	return []string{
		cell(r.Name), cell(d.Environment), cell(r.Host), cell(r.Format), cell(d.State), decimal(d.Waiting), timeCell(d.OldestWaiting),
		timeCell(d.LastDelivered), cell(r.Breaker), cell(d.LastError),
	}
}

func webhookTest() commandline.Invocation {
	var name string
	f := newForm("webhook test", "Sends an event of type test to a webhook, once, whatever waits for it, and says what the receiver answered.")
	f.set.Argument(&name, "WEBHOOK", "name of the webhook")
	return f.runs(func(ctx context.Context, s *session) error {
		done, err := s.client.TestWebhook(ctx, name)
		if err == nil && !done.Delivered {
			err = errors.New("webhook " + printable(name) + ": not delivered: " + printable(done.Error))
		}
		return s.answer(done, err, sentence("webhook %s: delivered", cell(name)))
	})
}
