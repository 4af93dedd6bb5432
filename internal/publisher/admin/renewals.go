package admin

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// maxSnapshot bounds a snapshot that is restored, in bytes.
	maxSnapshot = 256 << 20
	// snapshotTimeout bounds how long it may take to arrive.
	snapshotTimeout = 5 * time.Minute
	// SnapshotMedia is the media type of a snapshot.
	SnapshotMedia = "application/octet-stream"
)

// RestoringHeaders are the headers of requests that restore or recreate an environment.
type RestoringHeaders struct {
	ChangeHeaders

	BreakGlass bool `header:"Flagside-Break-Glass" doc:"That it is to be done without approvals, for the reason that is given, and reviewed afterwards."`
}

type recreateEnvironment struct {
	EnvironmentPath
	RestoringHeaders

	DryRun bool `query:"dryRun" doc:"Tell what would change, and change nothing."`
}

type restoreEnvironment struct {
	EnvironmentPath
	RestoringHeaders

	DryRun  bool   `query:"dryRun" doc:"Tell what would change, and change nothing."`
	Part    bool   `query:"part" doc:"Take as much of the difference as one change request may have: repeat it until remaining is 0."`
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

type restoredBody struct {
	Body Restored
}

// Restored is what became of an environment that was to be restored or recreated.
type Restored struct {
	Outcome   string         `json:"outcome" enum:"preview,unchanged,waiting,applied" doc:"Preview: nothing was asked for but to look. Waiting: the change request waits for approvals."`
	NewEpoch  bool           `json:"newEpoch" doc:"Whether it is a new epoch of the log, and no ordinary change."`
	Snapshot  string         `json:"snapshot,omitempty" doc:"The revision of the snapshot."`
	InHistory bool           `json:"inHistory" doc:"Whether the log has that revision. If not, only breaking the glass restores the snapshot."`
	Preview   Preview        `json:"preview" doc:"What changes."`
	Request   *ChangeRequest `json:"changeRequest,omitempty" doc:"The change request, also of a new epoch, which is reviewed there; absent if nothing was to change."`
	Remaining int            `json:"remaining,omitzero" doc:"How many documents still differ: repeat it for the next part."`
	Waits     *Problem       `json:"waits,omitempty" doc:"Why the change request was not applied at once."`

	Environment Environment `json:"environment" doc:"The environment afterwards."`
}

// registerRenewals adds what restores an environment, or begins a new epoch.
func (a *api) registerRenewals(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/recreate", "recreateEnvironment",
		"Write what this publisher knows of an environment as a new epoch of its log, whatever has become of that", environmentsTag)),
		func(ctx context.Context, in *recreateEnvironment) (*restoredBody, error) {
			how := Restoring{DryRun: in.DryRun, BreakGlass: in.BreakGlass}
			out, err := a.options.Environments.Recreate(ctx, in.Environment, in.origin(ctx), how)
			return a.restored(ctx, in.Environment, how, out, err)
		})
	restore := needing(access.Propose, operation(http.MethodPost, path+"/restore", "restoreEnvironment",
		"Make an environment what a snapshot is: by a change request, or by a new epoch if its log cannot go on", environmentsTag))
	restore.MaxBodyBytes = maxSnapshot
	restore.BodyReadTimeout = snapshotTimeout
	huma.Register(h, restore, func(ctx context.Context, in *restoreEnvironment) (*restoredBody, error) {
		how := Restoring{DryRun: in.DryRun, BreakGlass: in.BreakGlass, Part: in.Part}
		out, err := a.options.Environments.Restore(ctx, in.Environment, in.origin(ctx), how, bytes.NewReader(in.RawBody))
		return a.restored(ctx, in.Environment, how, out, err)
	})
}

// restored returns what to answer.
func (a *api) restored(ctx context.Context, name string, how Restoring, r control.Restored, err error) (*restoredBody, error) {
	if err != nil {
		return nil, a.ledgerProblem(err)
	}
	e, err := a.find(ctx, name)
	if err != nil {
		return nil, a.problem(err)
	}
	out := Restored{
		NewEpoch: r.NewEpoch, InHistory: r.InHistory, Preview: newPreview(r.Preview), Remaining: r.Remaining, Environment: a.describe(ctx, e),
	}
	if !r.Snapshot.IsZero() {
		out.Snapshot = r.Snapshot.Token().String()
	}
	if r.Waits != nil {
		out.Waits = refused(r.Waits)
	}
	if r.Request.ID != "" {
		out.Request = new(a.namedRequest(ctx, r.Request))
	}
	out.Outcome = outcome(how, out)
	return &restoredBody{Body: out}, nil
}

func outcome(how Restoring, r Restored) string {
	switch {
	case how.DryRun:
		return "preview"
	case r.Request == nil:
		return "unchanged"
	case r.Request.Status == string(control.Applied):
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
	if found.State == writer.Committed {
		out.Body.Revision = found.Position.Token().String()
	}
	return out, nil
}
