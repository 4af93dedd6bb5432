package client

import (
	"context"
	"net/http"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Lifecycle returns where the flags of an environment are in their lives, by key.
func (c *Client) Lifecycle(ctx context.Context, environment string, q api.LifecycleQuery) (api.Lifecycle, error) {
	return answer[api.Lifecycle](ctx, c, get("environments", environment, "lifecycle").with(q))
}

// LifecyclePolicy returns the lifecycle policy of an environment, and what it wants now.
func (c *Client) LifecyclePolicy(ctx context.Context, environment string) (api.LifecyclePolicyResult, error) {
	return answer[api.LifecyclePolicyResult](ctx, c, get("environments", environment, "lifecycle", "policy"))
}

// PatchLifecyclePolicy changes the lifecycle policy of an environment by a JSON Merge Patch (RFC 7396), and returns what it wants now.
func (c *Client) PatchLifecyclePolicy(ctx context.Context, environment string, patch []byte, h api.ChangeHeaders) (api.LifecyclePolicyResult, error) {
	return answer[api.LifecyclePolicyResult](ctx, c, newRequest(http.MethodPatch, "environments", environment, "lifecycle", "policy").with(h).merge(patch))
}

// PreviewLifecyclePolicy returns what a lifecycle policy would want now, without setting it.
func (c *Client) PreviewLifecyclePolicy(ctx context.Context, environment string, patch []byte) (api.LifecyclePolicyResult, error) {
	return answer[api.LifecyclePolicyResult](ctx, c, newRequest(http.MethodPost, "environments", environment, "lifecycle", "policy", "preview").merge(patch))
}
