package client

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Environments returns the environments that the caller may read, archived ones too, by name.
func (c *Client) Environments(ctx context.Context) (api.EnvironmentList, error) {
	return answer[api.EnvironmentList](ctx, c, get("environments"))
}

// Environment returns what is known of an environment.
func (c *Client) Environment(ctx context.Context, name string) (api.Environment, error) {
	return answer[api.Environment](ctx, c, get("environments", name))
}

// CreateEnvironment creates an environment.
func (c *Client) CreateEnvironment(ctx context.Context, n api.NewEnvironment, h api.AdministrationHeaders) (api.Environment, error) {
	return answer[api.Environment](ctx, c, post("environments").with(h).json(n))
}

// ArchiveEnvironment takes an environment out of use.
func (c *Client) ArchiveEnvironment(ctx context.Context, name string, h api.AdministrationHeaders) (api.Environment, error) {
	return answer[api.Environment](ctx, c, post("environments", name, "archive").with(h))
}

// ReviveEnvironment takes an archived environment into use again.
func (c *Client) ReviveEnvironment(ctx context.Context, name string, h api.AdministrationHeaders) (api.Environment, error) {
	return answer[api.Environment](ctx, c, post("environments", name, "revive").with(h))
}

// RollBackEnvironment makes all documents of an environment what they were at a revision.
func (c *Client) RollBackEnvironment(ctx context.Context, name, revision string, h api.ChangeHeaders) (api.Written, error) {
	return answer[api.Written](ctx, c, post("environments", name, "rollback").with(h).json(api.RollBackEnvironment{Revision: revision}))
}

// Promote makes documents of an environment what they are in another one.
func (c *Client) Promote(ctx context.Context, name string, p api.PromoteEnvironment, h api.ChangeHeaders) (api.Written, error) {
	return answer[api.Written](ctx, c, post("environments", name, "promote").with(h).json(p))
}

// ChangeDocuments puts and deletes several documents, each as it was seen.
func (c *Client) ChangeDocuments(ctx context.Context, name string, d api.ChangeDocuments, h api.ChangeHeaders) (api.Written, error) {
	return answer[api.Written](ctx, c, post("environments", name, "documents").with(h).json(d))
}

// Preview tells what a command would change, how risky that is, and who must agree.
func (c *Client) Preview(ctx context.Context, name string, command api.Command) (api.Preview, error) {
	return answer[api.Preview](ctx, c, post("environments", name, "preview").readOnly().json(api.PreviewCommand{Command: command}))
}

// PreviewImpact is Preview, and asks sidecars what it would do to recent evaluations.
func (c *Client) PreviewImpact(ctx context.Context, name string, command api.Command) (api.Preview, error) {
	return answer[api.Preview](ctx, c, post("environments", name, "preview").readOnly().json(api.PreviewCommand{Command: command, Impact: true}))
}

// Operation asks what became of a change.
func (c *Client) Operation(ctx context.Context, name, op string) (api.Operation, error) {
	return answer[api.Operation](ctx, c, get("environments", name, "operations", op))
}

// RecreateEnvironment writes what the publisher knows of an environment as a new epoch. Breaking the glass takes a reason.
func (c *Client) RecreateEnvironment(ctx context.Context, name string, q api.RecreateQuery, h api.RestoreHeaders) (api.Restored, error) {
	r := post("environments", name, "recreate").with(q).with(h)
	r.changes = !q.DryRun
	return answer[api.Restored](ctx, c, r)
}

// RestoreEnvironment makes an environment what a snapshot is. Breaking the glass takes a reason.
func (c *Client) RestoreEnvironment(
	ctx context.Context, name string, snapshot []byte, q api.RestoreQuery, h api.RestoreHeaders,
) (api.Restored, error) {
	r := post("environments", name, "restore").with(q).with(h).raw(api.SnapshotMedia, snapshot)
	r.changes = !q.DryRun
	return answer[api.Restored](ctx, c, r)
}

// AdoptEnvironment makes an environment known again that CONTROL has lost.
func (c *Client) AdoptEnvironment(ctx context.Context, name string, h api.AdministrationHeaders) (api.Environment, error) {
	return answer[api.Environment](ctx, c, post("environments", name, "adopt").with(h))
}

// RepairLedger has the ledger of an environment go on behind a damage. It takes a reason.
func (c *Client) RepairLedger(ctx context.Context, name string, h api.RepairHeaders) (api.Repaired, error) {
	return answer[api.Repaired](ctx, c, post("environments", name, "ledger", "repair").with(h))
}

// Tasks returns what takes the publisher a while in an environment, and what of that has ended lately, the newest first.
func (c *Client) Tasks(ctx context.Context, name string) (api.TaskList, error) {
	return answer[api.TaskList](ctx, c, get("environments", name, "tasks"))
}

// Evaluate tells what flags answer in evaluation contexts.
func (c *Client) Evaluate(ctx context.Context, name string, e api.Evaluate) (api.Evaluations, error) {
	return answer[api.Evaluations](ctx, c, post("environments", name, "evaluate").readOnly().json(e))
}
