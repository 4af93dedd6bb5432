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
	query.Set("limit", "1000")
	var all []ChangeRequest
	for {
		var list struct {
			Items []ChangeRequest `json:"items"`
			Next  string          `json:"next"`
		}
		_, err := c.do(ctx, Call{Path: requestPathOf(environment), Query: query}, &list)
		all = append(all, list.Items...)
		if err != nil || list.Next == "" {
			return all, err
		}
		query.Set("after", list.Next)
	}
}

// Request returns a change request.
func (c *Client) Request(ctx context.Context, environment, id string) (ChangeRequest, error) {
	var r ChangeRequest
	_, err := c.do(ctx, Call{Path: requestPathOf(environment, id)}, &r)
	return r, err
}

// OpenRequest opens a change request. The key makes it safe to repeat; empty is none.
func (c *Client) OpenRequest(ctx context.Context, environment string, n NewRequest, key string) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, Call{Method: http.MethodPost, Path: requestPathOf(environment), Key: key}, n, &r)
	return r, err
}

// RebaseRequest makes a change request anew, from what is there now.
func (c *Client) RebaseRequest(ctx context.Context, environment, id string, n NewRequest) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, Call{Method: http.MethodPost, Path: requestPathOf(environment, id, "rebase")}, n, &r)
	return r, err
}

// ApproveRequest agrees to a change request as it is: the hash is that of what was read.
func (c *Client) ApproveRequest(ctx context.Context, environment, id, hash, reason string) (ChangeRequest, error) {
	var r ChangeRequest
	err := c.send(ctx, Call{
		Method: http.MethodPost, Path: requestPathOf(environment, id, "approve"), Reason: reason,
	}, map[string]string{"hash": hash}, &r)
	return r, err
}

// WithdrawRequest ends a change request of the caller.
func (c *Client) WithdrawRequest(ctx context.Context, environment, id, reason string) (ChangeRequest, error) {
	return c.moveRequest(ctx, environment, id, "withdraw", reason)
}

// ApplyRequest applies a change request, or goes on with applying it. The status of what is returned tells what became of it.
func (c *Client) ApplyRequest(ctx context.Context, environment, id, reason string) (ChangeRequest, error) {
	return c.moveRequest(ctx, environment, id, "apply", reason)
}

func (c *Client) moveRequest(ctx context.Context, environment, id, step, reason string) (ChangeRequest, error) {
	var r ChangeRequest
	_, err := c.do(ctx, Call{Method: http.MethodPost, Path: requestPathOf(environment, id, step), Reason: reason}, &r)
	return r, err
}

func requestPathOf(environment string, more ...string) []string {
	return append([]string{"environments", environment, "requests"}, more...)
}
