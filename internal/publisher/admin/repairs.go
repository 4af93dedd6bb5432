package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/writer"
)

type adoptEnvironment struct {
	EnvironmentPath
	AdministrationHeaders
}

type repairLedger struct {
	EnvironmentPath
	RepairHeaders
}

type repairControl struct{ RepairHeaders }

type repairedBody struct {
	Body Repaired
}

// Repaired is what a repair of a journal kept, and what is lost.
type Repaired struct {
	Stream string     `json:"stream" doc:"The stream of the journal."`
	Head   uint64     `json:"head" doc:"The number of the newest record, which is part of the repair and names what is kept and what is lost."`
	Kept   []uint64   `json:"kept" nullable:"false" doc:"The newest record of each part that is kept, in ascending order. Between two parts, and behind the last one, records are missing."`
	Lost   []Interval `json:"lost" nullable:"false" doc:"The places whose messages are missing or cannot be read, in ascending order. Some may have held no record."`
	Lacks  uint64     `json:"lacks,omitempty" doc:"The number of a record that is named elsewhere and is lost; absent if none is known."`
}

// Interval is a run of places in a stream.
type Interval struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last" doc:"It belongs to the run."`
}

func newRepaired(stream string, r writer.LedgerRepaired) *repairedBody {
	out := &repairedBody{Body: Repaired{Stream: stream, Head: r.Head.Sequence, Kept: []uint64{}, Lost: []Interval{}, Lacks: r.Lacks.Sequence}}
	for _, a := range r.Kept {
		out.Body.Kept = append(out.Body.Kept, a.Sequence)
	}
	for _, i := range r.Lost {
		out.Body.Lost = append(out.Body.Lost, Interval(i))
	}
	return out
}

// registerRepairs adds what goes on after a ledger or CONTROL was damaged.
func (a *api) registerRepairs(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/adopt", "adoptEnvironment",
		"Make an environment known again whose streams are in use, after CONTROL was lost", environmentsTag)), a.adoptEnvironment)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/ledger/repair", "repairLedger",
		"Go on behind a damage of the ledger of an environment, and tell what is lost", environmentsTag)), a.repairLedger)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, "/api/v1/control/repair", "repairControl",
		"Go on behind a damage of CONTROL, which records environments and tokens, and tell what is lost", environmentsTag)), a.repairControl)
}

func (a *api) adoptEnvironment(ctx context.Context, in *adoptEnvironment) (*environmentBody, error) {
	if _, err := a.options.Environments.Adopt(ctx, in.Environment, in.order(ctx)); err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, in.AdministrationHeaders, "environment", in.Environment, "an environment was adopted")
	return a.getEnvironment(ctx, &in.EnvironmentPath)
}

func (a *api) repairLedger(ctx context.Context, in *repairLedger) (*repairedBody, error) {
	done, err := a.options.Environments.RepairLedger(ctx, in.Environment, AdministrationHeaders(in.RepairHeaders).order(ctx))
	if err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, AdministrationHeaders(in.RepairHeaders), "environment", in.Environment, "a ledger was repaired")
	return newRepaired(writer.LedgerOf(in.Environment).Stream(), done), nil
}

func (a *api) repairControl(ctx context.Context, in *repairControl) (*repairedBody, error) {
	done, err := a.options.Environments.RepairControl(ctx, AdministrationHeaders(in.RepairHeaders).order(ctx))
	if err != nil {
		return nil, a.problem(err)
	}
	stream := writer.ControlLedger().Stream()
	a.done(ctx, AdministrationHeaders(in.RepairHeaders), "stream", stream, "CONTROL was repaired")
	return newRepaired(stream, done), nil
}
