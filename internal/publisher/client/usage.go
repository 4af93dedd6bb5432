package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Usage returns how the flags of an environment are used, by key.
func (c *Client) Usage(ctx context.Context, environment string, q api.UsageQuery) (api.Usage, error) {
	return answer[api.Usage](ctx, c, get("environments", environment, "usage").with(q))
}

// FlagUsage returns how a flag was used over a time.
func (c *Client) FlagUsage(ctx context.Context, environment, key string, q api.FlagUsageQuery) (api.FlagUsage, error) {
	return answer[api.FlagUsage](ctx, c, get("environments", environment, "usage", "flags", key).with(q))
}

// UnknownFlags returns the flags that applications ask for and that do not exist, by key.
func (c *Client) UnknownFlags(ctx context.Context, environment string, q api.UnknownFlagsQuery) (api.UnknownFlags, error) {
	return answer[api.UnknownFlags](ctx, c, get("environments", environment, "usage", "unknown").with(q))
}
