package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/sync/writer"
)

type repairLedger struct {
	EnvironmentPath
	api.RepairHeaders
}

type repairControl struct{ api.RepairHeaders }

func newRepaired(stream string, r writer.LedgerRepaired) *content[api.Repaired] {
	out := &content[api.Repaired]{Body: api.Repaired{Stream: stream, Head: r.Head.Sequence, Kept: []uint64{}, Lost: []api.Interval{}, Lacks: r.Lacks.Sequence}}
	for _, a := range r.Kept {
		out.Body.Kept = append(out.Body.Kept, a.Sequence)
	}
	for _, i := range r.Lost {
		out.Body.Lost = append(out.Body.Lost, api.Interval(i))
	}
	return out
}

// registerRepairs adds what goes on after a ledger or CONTROL was damaged.
func (s *server) registerRepairs(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/adopt", "adoptEnvironment",
		"Make an environment known again whose streams are in use, after CONTROL was lost", environmentsTag)), s.adoptEnvironment)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, path+"/ledger/repair", "repairLedger",
		"Go on behind a damage of the ledger of an environment, and tell what is lost", environmentsTag)), s.repairLedger)
	huma.Register(h, needing(access.Administer, operation(http.MethodPost, "/api/v1/control/repair", "repairControl",
		"Go on behind a damage of CONTROL, which records environments and tokens, and tell what is lost", environmentsTag)), s.repairControl)
}

func (s *server) adoptEnvironment(ctx context.Context, in *administerEnvironment) (*content[api.Environment], error) {
	if _, err := s.options.Environments.Adopt(ctx, in.Environment, orderOf(ctx, in.AdministrationHeaders)); err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, in.AdministrationHeaders, "environment", in.Environment, "environment adopted")
	return s.getEnvironment(ctx, &in.EnvironmentPath)
}

func (s *server) repairLedger(ctx context.Context, in *repairLedger) (*content[api.Repaired], error) {
	done, err := s.options.Environments.RepairLedger(ctx, in.Environment, orderOf(ctx, api.AdministrationHeaders(in.RepairHeaders)))
	if err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, api.AdministrationHeaders(in.RepairHeaders), "environment", in.Environment, "ledger repaired")
	return newRepaired(writer.LedgerOf(in.Environment).Stream(), done), nil
}

func (s *server) repairControl(ctx context.Context, in *repairControl) (*content[api.Repaired], error) {
	done, err := s.options.Environments.RepairControl(ctx, orderOf(ctx, api.AdministrationHeaders(in.RepairHeaders)))
	if err != nil {
		return nil, s.problem(err)
	}
	stream := writer.ControlLedger().Stream()
	s.done(ctx, api.AdministrationHeaders(in.RepairHeaders), "stream", stream, "CONTROL repaired")
	return newRepaired(stream, done), nil
}
