package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Requests returns a part of the change requests of an environment, the oldest first.
func (c *Client) Requests(ctx context.Context, environment string, q api.RequestQuery) (api.RequestList, error) {
	return answer[api.RequestList](ctx, c, get("environments", environment, "requests").with(q))
}

// AllRequests returns all change requests that a query selects, the oldest first, whatever its Limit.
func (c *Client) AllRequests(ctx context.Context, environment string, q api.RequestQuery) ([]api.ChangeRequest, error) {
	return all(func(after string) ([]api.ChangeRequest, string, error) {
		q.Limit, q.After = pageSize, after
		part, err := c.Requests(ctx, environment, q)
		return part.Items, part.Next, err
	})
}

// Request returns a change request.
func (c *Client) Request(ctx context.Context, environment, id string) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, get("environments", environment, "requests", id))
}

// RequestImpact is Request, and asks sidecars what it would do to recent evaluations, if it can be applied.
func (c *Client) RequestImpact(ctx context.Context, environment, id string) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, get("environments", environment, "requests", id).with(api.RequestImpactQuery{Impact: true}))
}

// OpenRequest opens a change request.
func (c *Client) OpenRequest(ctx context.Context, environment string, n api.NewRequest, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, post("environments", environment, "requests").with(h).json(n))
}

// RebaseRequest updates a change request to the current state.
func (c *Client) RebaseRequest(ctx context.Context, environment, id string, n api.NewRequest, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "rebase").with(h).json(n))
}

// CommentRequest says something about a change request.
func (c *Client) CommentRequest(ctx context.Context, environment, id, text string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "comment").with(h).json(api.CommentRequest{Text: text}))
}

// ApproveRequest agrees to a change request as it is: the hash is that of what was read.
func (c *Client) ApproveRequest(ctx context.Context, environment, id, hash string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "approve").with(h).json(api.ApproveRequest{Hash: hash}))
}

// RejectRequest ends a change request of another person.
func (c *Client) RejectRequest(ctx context.Context, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "reject").with(h))
}

// WithdrawRequest ends a change request of the caller.
func (c *Client) WithdrawRequest(ctx context.Context, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "withdraw").with(h))
}

// ReviewRequest records that a change which went without approvals was reviewed.
func (c *Client) ReviewRequest(ctx context.Context, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "review").with(h))
}

// ApplyRequest applies a change request, or goes on with applying it. The status of what is returned tells what became of it.
func (c *Client) ApplyRequest(ctx context.Context, environment, id string, h api.ChangeHeaders) (api.ChangeRequest, error) {
	return answer[api.ChangeRequest](ctx, c, requestStep(environment, id, "apply").with(h))
}

func requestStep(environment, id, step string) request {
	return post("environments", environment, "requests", id, step)
}
