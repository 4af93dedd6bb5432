package admin

import (
	"context"
	"net/http"
	"net/url"
)

// Requests returns the change requests with a status, or all, the oldest first.
func (c *Client) Requests(ctx context.Context, environment, status string) ([]ChangeRequest, error) {
	query := url.Values{}
	if status != "" {
		query.Set("status", status)
	}
	var list struct {
		Items []ChangeRequest `json:"items"`
	}
	_, err := c.do(ctx, request{method: http.MethodGet, path: requestPathOf(environment), query: query}, &list)
	return list.Items, err
}

// Request returns a change request.
func (c *Client) Request(ctx context.Context, environment, id string) (ChangeRequest, error) {
	var r ChangeRequest
	_, err := c.do(ctx, request{method: http.MethodGet, path: requestPathOf(environment, id)}, &r)
	return r, err
}

// OpenRequest opens a change request. The key makes it safe to repeat; empty is none.
func (c *Client) OpenRequest(ctx context.Context, environment string, n NewRequest, key string) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, request{method: http.MethodPost, path: requestPathOf(environment), key: key}, n, &r)
	return r, err
}

// RebaseRequest makes a change request anew, from what is there now.
func (c *Client) RebaseRequest(ctx context.Context, environment, id string, n NewRequest) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, request{method: http.MethodPost, path: requestPathOf(environment, id, "rebase")}, n, &r)
	return r, err
}

// CommentRequest says something about a change request.
func (c *Client) CommentRequest(ctx context.Context, environment, id, text string) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, request{method: http.MethodPost, path: requestPathOf(environment, id, "comment")}, map[string]string{"text": text}, &r)
	return r, err
}

// ApproveRequest agrees to a change request as it is: the hash is that of what was read.
func (c *Client) ApproveRequest(ctx context.Context, environment, id, hash, reason string) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, request{
		method: http.MethodPost, path: requestPathOf(environment, id, "approve"), reason: reason,
	}, map[string]string{"hash": hash}, &r)
	return r, err
}

// RejectRequest ends a change request of somebody else.
func (c *Client) RejectRequest(ctx context.Context, environment, id, reason string) (ChangeRequest, error) {
	return c.moveRequest(ctx, environment, id, "reject", reason)
}

// WithdrawRequest ends a change request of the caller.
func (c *Client) WithdrawRequest(ctx context.Context, environment, id, reason string) (ChangeRequest, error) {
	return c.moveRequest(ctx, environment, id, "withdraw", reason)
}

// ReviewRequest closes what breaking the glass has left open.
func (c *Client) ReviewRequest(ctx context.Context, environment, id, reason string) (ChangeRequest, error) {
	return c.moveRequest(ctx, environment, id, "review", reason)
}

// ApplyRequest applies a change request, or goes on with applying it. The status of what is returned tells what became of it.
func (c *Client) ApplyRequest(ctx context.Context, environment, id, reason string) (ChangeRequest, error) {
	return c.moveRequest(ctx, environment, id, "apply", reason)
}

func (c *Client) moveRequest(ctx context.Context, environment, id, step, reason string) (ChangeRequest, error) {
	var r ChangeRequest
	_, err := c.do(ctx, request{method: http.MethodPost, path: requestPathOf(environment, id, step), reason: reason}, &r)
	return r, err
}

func requestPathOf(environment string, more ...string) []string {
	return append([]string{"environments", environment, "requests"}, more...)
}
