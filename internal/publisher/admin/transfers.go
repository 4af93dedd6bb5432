package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

type rollBackEnvironment struct {
	EnvironmentPath
	api.ChangeHeaders

	Body api.RollBackEnvironment
}

type promoteEnvironment struct {
	EnvironmentPath
	api.ChangeHeaders

	Body api.PromoteEnvironment
}

type changeDocuments struct {
	EnvironmentPath
	api.ChangeHeaders

	Body api.ChangeDocuments
}

type previewCommand struct {
	EnvironmentPath

	Body api.PreviewCommand
}

// registerTransfers adds what changes many documents at once, and what tells before what a change would do.
func (s *server) registerTransfers(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, operation(http.MethodPost, path+"/rollback", "rollBackEnvironment",
		"Make all documents what they were at a revision, as a new change", environmentsTag),
		func(ctx context.Context, in *rollBackEnvironment) (*writtenBody, error) {
			return s.doCommand(ctx, in.Environment, originOf(ctx, in.ChangeHeaders), api.Command{Type: "rollback", Revision: in.Body.Revision})
		})
	huma.Register(h, operation(http.MethodPost, path+"/promote", "promoteEnvironment",
		"Make documents what they are in another environment: add and change, and delete with prune", environmentsTag),
		func(ctx context.Context, in *promoteEnvironment) (*writtenBody, error) {
			return s.doCommand(ctx, in.Environment, originOf(ctx, in.ChangeHeaders), api.Command{Type: "promote", From: in.Body.From, Flags: in.Body.Flags, Prune: in.Body.Prune})
		})
	huma.Register(h, operation(http.MethodPost, path+"/documents", "changeDocuments",
		"Put and delete several documents, each as it was seen; refused when one of them has changed since", environmentsTag),
		func(ctx context.Context, in *changeDocuments) (*writtenBody, error) {
			return s.doCommand(ctx, in.Environment, originOf(ctx, in.ChangeHeaders), api.Command{Type: "documents", Changes: in.Body.Changes})
		})
	preview := needing(access.Read, operation(http.MethodPost, path+"/preview", "previewCommand",
		"Tell what a command would change, how risky that is, and who must agree", requestsTag))
	preview.Metadata[mustAuthenticate] = true
	huma.Register(h, preview, s.preview)
}

// doCommand carries out a command of the API at once.
func (s *server) doCommand(ctx context.Context, environment string, origin decide.Origin, c api.Command) (*writtenBody, error) {
	command, err := s.command(ctx, environment, c)
	if err != nil {
		return nil, err
	}
	ctx, t := s.begin(ctx, environment, api.TaskApply, taskDocuments)
	defer t.abandon()
	out, err := s.do(ctx, environment, origin, command)
	t.end(err, nil)
	if err == nil {
		out.ETag = ""
	}
	return out, err
}

func (s *server) preview(ctx context.Context, in *previewCommand) (*content[api.Preview], error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	command, err := s.command(ctx, in.Environment, in.Body.Command)
	if err != nil {
		return nil, err
	}
	found, err := service.Preview(ctx, decide.Origin{Principal: caller(ctx), InUse: in.Body.Command.InUse}, command)
	if err != nil {
		return nil, s.problem(err)
	}
	out := newPreview(found)
	if in.Body.Impact {
		if out.Impact, err = s.impactOf(ctx, in.Environment, found, in.Body.WaitMs); err != nil {
			return nil, err
		}
	}
	return &content[api.Preview]{Body: out}, nil
}

func newPreview(found decide.Preview) api.Preview {
	out := api.Preview{Differences: []api.Difference{}, Risk: *newRisk(found.Risk), Permitted: found.Refused == nil, Warnings: places(found.Warnings)}
	for _, d := range found.Differences {
		out.Differences = append(out.Differences, api.Difference{Kind: string(d.ID.Kind), Key: d.ID.Key, Before: d.Before, After: d.After})
	}
	if found.Refused != nil {
		out.Refused = &refused(found.Refused).Problem
	}
	return out
}
