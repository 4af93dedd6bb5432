package admin

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// maxSnapshot bounds a snapshot that is restored, in bytes.
	maxSnapshot = 256 << 20
	// snapshotTimeout bounds how long it may take to arrive.
	snapshotTimeout = 5 * time.Minute
	// restoreTime bounds how long a restore may take, because it does not end with its caller.
	restoreTime = 10 * time.Minute
)

type recreateEnvironment struct {
	EnvironmentPath
	api.RestoreHeaders
	api.RecreateQuery
}

type restoreEnvironment struct {
	EnvironmentPath
	api.RestoreHeaders
	api.RestoreQuery

	RawBody []byte `contentType:"application/octet-stream"`
}

// Restoring is how an environment is to be restored or recreated.
type Restoring struct {
	// DryRun tells what would change, and changes nothing.
	DryRun bool
	// BreakGlass goes without approvals, for a reason.
	BreakGlass bool
	// Part takes as much of the difference as one change request may have.
	Part bool
}

// registerRecovery adds what restores an environment, or begins a new epoch.
func (s *server) registerRecovery(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/recreate", "recreateEnvironment",
		"Write what this publisher knows of an environment as a new epoch of its log, whatever has become of that", environmentsTag)),
		func(ctx context.Context, in *recreateEnvironment) (*content[api.Restored], error) {
			how := Restoring{DryRun: in.DryRun, BreakGlass: in.BreakGlass}
			return s.restoring(ctx, in.Environment, api.TaskRecreate, how, func(ctx context.Context) (control.Restored, error) {
				return s.options.Environments.Recreate(ctx, in.Environment, originOf(ctx, in.ChangeHeaders), how)
			})
		})
	restore := needing(access.Propose, operation(http.MethodPost, path+"/restore", "restoreEnvironment",
		"Make an environment what a snapshot is: by a change request, or by a new epoch if its log cannot go on", environmentsTag))
	restore.MaxBodyBytes = maxSnapshot
	restore.BodyReadTimeout = snapshotTimeout
	huma.Register(h, restore, func(ctx context.Context, in *restoreEnvironment) (*content[api.Restored], error) {
		how := Restoring{DryRun: in.DryRun, BreakGlass: in.BreakGlass, Part: in.Part}
		return s.restoring(ctx, in.Environment, api.TaskRestore, how, func(ctx context.Context) (control.Restored, error) {
			return s.options.Environments.Restore(ctx, in.Environment, originOf(ctx, in.ChangeHeaders), how, bytes.NewReader(in.RawBody))
		})
	})
}

// restoring carries out a restore as a task, which goes on when its caller is gone. One that changes nothing is none.
func (s *server) restoring(
	ctx context.Context, environment, kind string, how Restoring, do func(context.Context) (control.Restored, error),
) (*content[api.Restored], error) {
	if how.DryRun {
		r, err := do(ctx)
		return s.restored(ctx, environment, how, r, err)
	}
	ctx, t := s.begin(context.WithoutCancel(ctx), environment, kind, 0)
	defer t.abandon()
	ctx, cancel := context.WithTimeout(ctx, restoreTime)
	defer cancel()
	r, err := do(ctx)
	out, err := s.restored(ctx, environment, how, r, err)
	t.end(err, func(told *api.Task) { told.Request = r.Request.ID })
	return out, err
}

// restored returns what to answer.
func (s *server) restored(ctx context.Context, name string, how Restoring, r control.Restored, err error) (*content[api.Restored], error) {
	if err != nil {
		return nil, s.ledgerProblem(err)
	}
	e, err := s.find(ctx, name)
	if err != nil {
		return nil, s.problem(err)
	}
	out := api.Restored{
		NewEpoch: r.NewEpoch, InHistory: r.InHistory, Preview: newPreview(r.Preview), Remaining: r.Remaining, Environment: s.describe(ctx, e),
	}
	if !r.Snapshot.IsZero() {
		out.Snapshot = r.Snapshot.Token().String()
	}
	if r.Waits != nil {
		out.Waits = &refused(r.Waits).Problem
	}
	if r.Request.ID != "" {
		out.Request = new(s.namedRequest(ctx, r.Request))
	}
	out.Outcome = outcome(how, out)
	return &content[api.Restored]{Body: out}, nil
}

func outcome(how Restoring, r api.Restored) string {
	switch {
	case how.DryRun:
		return "preview"
	case r.Request == nil:
		return "unchanged"
	case r.Request.Status == string(requests.Applied):
		return "applied"
	default:
		return "waiting"
	}
}

// OperationPath is the path of an operation.
type OperationPath struct {
	EnvironmentPath

	Operation string `path:"operation" doc:"The op-id." maxLength:"64"`
}

func (s *server) registerOperations(h huma.API) {
	huma.Register(h, reading(operation(http.MethodGet, "/api/v1/environments/{environment}/operations/{operation}", "getOperation",
		"Ask what became of a change whose answer was that it is undecided", environmentsTag)), s.getOperation)
}

func (s *server) getOperation(ctx context.Context, in *OperationPath) (*content[api.Operation], error) {
	c, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	found, err := c.Operation(ctx, in.Operation)
	if err != nil {
		return nil, s.problem(err)
	}
	out := &content[api.Operation]{Body: api.Operation{OpID: found.OpID, State: "unknown"}}
	if found.State != 0 {
		out.Body.State = found.State.String()
	}
	if found.State == writer.Committed {
		out.Body.Revision = found.Position.Token().String()
	}
	return out, nil
}
