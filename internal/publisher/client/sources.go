package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Sources returns the sources that an environment follows, as the publisher that answers sees them.
func (c *Client) Sources(ctx context.Context, environment string) (api.SourceList, error) {
	return answer[api.SourceList](ctx, c, get("environments", environment, "sources"))
}
