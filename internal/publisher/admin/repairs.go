package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

type repairLedger struct {
	EnvironmentPath
	AdministrationHeaders
}

type repairControl struct{ AdministrationHeaders }

type repairedBody struct {
	Body Repaired
}

// Repaired is what a repair of a ledger has written.
type Repaired struct {
	Stream   string `json:"stream" example:"LEDGER_prod" doc:"The stream of the ledger."`
	Sequence uint64 `json:"sequence" doc:"The number of the record that lists what is kept and what was lost. New records follow it."`
	Digest   string `json:"digest" doc:"The SHA-256 of that record."`
}

// registerRepairs adds what lets ledgers and CONTROL go on behind a damage, and environments that CONTROL has forgotten.
func (a *api) registerRepairs(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, environmentsPath+"/{environment}/ledger/repair", "repairLedger",
		"Let the ledger of an environment go on behind records that are lost or cannot be read", environmentsTag)), a.repairLedger)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, "/api/v1/control/repair", "repairControl",
		"Let CONTROL, which records environments, persons and tokens, go on behind records that are lost or cannot be read", accessTag)), a.repairControl)
}

func (a *api) repairLedger(ctx context.Context, in *repairLedger) (*repairedBody, error) {
	at, err := a.options.Environments.RepairLedger(ctx, in.Environment, caller(ctx).ID, in.Reason)
	if err != nil {
		return nil, a.problem(err)
	}
	in.note(ctx, a.options.Logger, "environment", in.Environment, "a ledger was repaired")
	return repaired("LEDGER_"+in.Environment, at), nil
}

func (a *api) repairControl(ctx context.Context, in *repairControl) (*repairedBody, error) {
	at, err := a.options.Environments.RepairControl(ctx, caller(ctx).ID, in.Reason)
	if err != nil {
		return nil, a.problem(err)
	}
	in.note(ctx, a.options.Logger, "stream", "CONTROL", "CONTROL was repaired")
	return repaired("CONTROL", at), nil
}

func repaired(stream string, at changelog.Anchor) *repairedBody {
	return &repairedBody{Body: Repaired{Stream: stream, Sequence: at.Sequence, Digest: at.Digest.String()}}
}
