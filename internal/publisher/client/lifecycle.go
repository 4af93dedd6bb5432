package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Lifecycle returns where the flags of an environment are in their lives, by key.
func (c *Client) Lifecycle(ctx context.Context, environment string, q api.LifecycleQuery) (api.Lifecycle, error) {
	return answer[api.Lifecycle](ctx, c, get("environments", environment, "lifecycle").with(q))
}
