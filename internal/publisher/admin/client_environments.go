package admin

import (
	"context"
	"net/http"
	"net/url"
)

// Environments returns all environments, archived ones too, by name.
func (c *Client) Environments(ctx context.Context) ([]Environment, error) {
	var list struct {
		Items []Environment `json:"items"`
	}
	_, err := c.do(ctx, Call{Path: []string{"environments"}}, &list)
	return list.Items, err
}

// CreateEnvironment creates an environment. The compatibility is "flagd", or empty for that of the publisher.
func (c *Client) CreateEnvironment(ctx context.Context, name, compatibility string) (Environment, error) {
	var e Environment
	err := c.send(ctx, Call{Method: http.MethodPost, Path: []string{"environments"}}, newEnvironment{Name: name, Compatibility: compatibility}, &e)
	return e, err
}

// ArchiveEnvironment takes an environment out of use.
func (c *Client) ArchiveEnvironment(ctx context.Context, name string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, Call{Method: http.MethodPost, Path: []string{"environments", name, "archive"}}, &e)
	return e, err
}

// ArchiveEnvironmentAnyway takes an environment out of use without the consent that policies want, for a reason.
func (c *Client) ArchiveEnvironmentAnyway(ctx context.Context, name, reason string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, Call{
		Method: http.MethodPost, Path: []string{"environments", name, "archive"}, Reason: reason, BreakGlass: true,
	}, &e)
	return e, err
}

// RecreateEnvironment writes what the publisher knows of an environment as a new epoch. The reason is needed to break the glass.
func (c *Client) RecreateEnvironment(ctx context.Context, name string, how Restoring, reason string) (Restored, error) {
	var r Restored
	_, err := c.do(ctx, how.call(name, "recreate", reason), &r)
	return r, err
}

// RestoreEnvironment makes an environment what a snapshot is. The reason is needed to break the glass.
func (c *Client) RestoreEnvironment(ctx context.Context, name string, snapshot []byte, how Restoring, reason string) (Restored, error) {
	var r Restored
	call := how.call(name, "restore", reason)
	call.Body, call.Media = snapshot, SnapshotMedia
	_, err := c.do(ctx, call, &r)
	return r, err
}

func (r Restoring) call(name, what, reason string) Call {
	return Call{Method: http.MethodPost, Path: []string{"environments", name, what}, Query: r.Query(), Reason: reason, BreakGlass: r.BreakGlass}
}

// Query returns what is asked for in the query of a call.
func (r Restoring) Query() url.Values {
	query := url.Values{}
	if r.DryRun {
		query.Set("dryRun", "true")
	}
	if r.Part {
		query.Set("part", "true")
	}
	return query
}

// AdoptEnvironment makes an environment known again that CONTROL has lost.
func (c *Client) AdoptEnvironment(ctx context.Context, name string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, Call{Method: http.MethodPost, Path: []string{"environments", name, "adopt"}}, &e)
	return e, err
}

// RepairLedger has the ledger of an environment go on behind a damage, for a reason.
func (c *Client) RepairLedger(ctx context.Context, name, reason string) (Repaired, error) {
	var r Repaired
	_, err := c.do(ctx, Call{Method: http.MethodPost, Path: []string{"environments", name, "ledger", "repair"}, Reason: reason}, &r)
	return r, err
}

// RepairControl has CONTROL go on behind a damage, for a reason.
func (c *Client) RepairControl(ctx context.Context, reason string) (Repaired, error) {
	var r Repaired
	_, err := c.do(ctx, Call{Method: http.MethodPost, Path: []string{"control", "repair"}, Reason: reason}, &r)
	return r, err
}

// Operation asks what became of a change.
func (c *Client) Operation(ctx context.Context, environment, op string) (Operation, error) {
	var o Operation
	_, err := c.do(ctx, Call{Path: []string{"environments", environment, "operations", op}}, &o)
	return o, err
}
