package admin

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	flagsync "github.com/flagside/flagside/sync"
)

const (
	// maxSnapshot bounds a snapshot that is restored, in bytes.
	maxSnapshot = 256 << 20
	// snapshotTimeout bounds how long it may take to arrive.
	snapshotTimeout = 5 * time.Minute
	// SnapshotMedia is the media type of a snapshot.
	SnapshotMedia = "application/octet-stream"
)

type recreateEnvironment struct {
	EnvironmentPath
	AdministrationHeaders
}

type restoreEnvironment struct {
	EnvironmentPath
	AdministrationHeaders

	RawBody []byte `contentType:"application/octet-stream"`
}

// registerRenewals adds what begins a new epoch.
func (a *api) registerRenewals(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/recreate", "recreateEnvironment",
		"Write what this publisher knows of an environment as a new epoch of its log, whatever has become of that", environmentsTag)),
		func(ctx context.Context, in *recreateEnvironment) (*environmentBody, error) {
			if err := a.options.Environments.Recreate(ctx, in.Environment, caller(ctx).ID); err != nil {
				return nil, a.problem(err)
			}
			in.note(ctx, a.options.Logger, "environment", in.Environment, "an environment was recreated")
			return a.getEnvironment(ctx, &in.EnvironmentPath)
		})
	restore := needing(access.Administer, operation(http.MethodPost, path+"/restore", "restoreEnvironment",
		"Write a snapshot as a new epoch of an environment, which has nothing but its documents then", environmentsTag))
	restore.MaxBodyBytes = maxSnapshot
	restore.BodyReadTimeout = snapshotTimeout
	huma.Register(h, restore, func(ctx context.Context, in *restoreEnvironment) (*environmentBody, error) {
		if err := a.options.Environments.Restore(ctx, in.Environment, caller(ctx).ID, bytes.NewReader(in.RawBody)); err != nil {
			return nil, a.problem(err)
		}
		in.note(ctx, a.options.Logger, "environment", in.Environment, "an environment was restored")
		return a.getEnvironment(ctx, &in.EnvironmentPath)
	})
}

// OperationPath is the path of an operation.
type OperationPath struct {
	EnvironmentPath

	Operation string `path:"operation" doc:"The op-id." maxLength:"64"`
}

type operationBody struct {
	Body Operation
}

// Operation is what became of a change.
type Operation struct {
	OpID     string `json:"opId"`
	State    string `json:"state" enum:"committed,lost,open,unknown" doc:"Lost: nothing was written. Open: not decided yet, ask again. Unknown: it is not in the log as it is now, or was written more than a day ago; only the publisher that was asked to write it can tell more."`
	Revision string `json:"revision,omitempty" doc:"The revision of the environment that contains the change, if it is committed."`
}

func (a *api) registerOperations(h huma.API) {
	huma.Register(h, reading(operation(http.MethodGet, "/api/v1/environments/{environment}/operations/{operation}", "getOperation",
		"Ask what became of a change whose answer was that it is undecided", environmentsTag)), a.getOperation)
}

func (a *api) getOperation(ctx context.Context, in *OperationPath) (*operationBody, error) {
	c, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	found, err := c.Operation(ctx, in.Operation)
	if err != nil {
		return nil, a.problem(err)
	}
	out := &operationBody{Body: Operation{OpID: found.OpID, State: "unknown"}}
	if found.State != 0 {
		out.Body.State = found.State.String()
	}
	if found.State == flagsync.Committed {
		out.Body.Revision = found.Position.Token().String()
	}
	return out, nil
}
