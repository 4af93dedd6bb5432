package admin

import (
	"context"
	"net/http"
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

// RecreateEnvironment writes what the publisher knows of an environment as a new epoch.
func (c *Client) RecreateEnvironment(ctx context.Context, name string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, Call{Method: http.MethodPost, Path: []string{"environments", name, "recreate"}}, &e)
	return e, err
}

// RestoreEnvironment writes a snapshot as a new epoch of an environment.
func (c *Client) RestoreEnvironment(ctx context.Context, name string, snapshot []byte) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, Call{
		Method: http.MethodPost, Path: []string{"environments", name, "restore"}, Body: snapshot, Media: SnapshotMedia,
	}, &e)
	return e, err
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
