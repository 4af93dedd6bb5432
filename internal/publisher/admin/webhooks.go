package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/webhook"
)

const webhooksPath = "/api/v1/webhooks"

// Webhooks are the receivers of events: a *webhook.Service.
type Webhooks interface {
	// List returns them with the state of their deliveries, by name.
	List(ctx context.Context) []api.Webhook
	// Test sends an event of type test, once, and returns why the receiver did not take it. It fails with webhook.ErrUnknown if there is none of the name.
	Test(ctx context.Context, name, actor string) error
}

type testWebhook struct {
	Webhook string `path:"webhook" maxLength:"64" doc:"The name of the webhook."`
}

func (s *server) registerWebhooks(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, webhooksPath, "listWebhooks",
		"List the webhooks of the publisher's file and how events reach them, without their secrets", webhooksTag)), s.listWebhooks)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, webhooksPath+"/{webhook}/test", "testWebhook",
		"Send an event of type test to a webhook, once, whatever waits for it", webhooksTag)), s.testWebhook)
}

func (s *server) listWebhooks(ctx context.Context, _ *struct{}) (*content[api.WebhookList], error) {
	return &content[api.WebhookList]{Body: api.WebhookList{Items: s.options.Webhooks.List(ctx)}}, nil
}

func (s *server) testWebhook(ctx context.Context, in *testWebhook) (*content[api.WebhookTest], error) {
	err := s.options.Webhooks.Test(ctx, in.Webhook, caller(ctx).ID)
	if errors.Is(err, webhook.ErrUnknown) {
		return nil, newProblem(http.StatusNotFound, api.ProblemNotFound, "There is no webhook "+in.Webhook+": the file of --webhooks names them.")
	}
	out := &content[api.WebhookTest]{Body: api.WebhookTest{Delivered: err == nil}}
	if err != nil {
		out.Body.Error = err.Error()
	}
	return out, nil
}
