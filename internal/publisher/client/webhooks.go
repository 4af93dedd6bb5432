package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Webhooks returns the receivers of events and how events reach them, by name.
func (c *Client) Webhooks(ctx context.Context) (api.WebhookList, error) {
	return answer[api.WebhookList](ctx, c, get("webhooks"))
}

// TestWebhook sends an event of type test to a webhook, once.
func (c *Client) TestWebhook(ctx context.Context, name string) (api.WebhookTest, error) {
	return answer[api.WebhookTest](ctx, c, post("webhooks", name, "test"))
}
