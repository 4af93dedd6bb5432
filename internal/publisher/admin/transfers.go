package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

type rollBackEnvironment struct {
	EnvironmentPath
	ChangeHeaders

	Body struct {
		_ struct{} `additionalProperties:"false"`

		Revision string `json:"revision" example:"1f0c9a7e-17" doc:"The revision to return to, <epoch8>-<revision>."`
	}
}

type promoteEnvironment struct {
	EnvironmentPath
	ChangeHeaders

	Body struct {
		_ struct{} `additionalProperties:"false"`

		From  string   `json:"from" example:"staging" doc:"The environment to take documents from."`
		Flags []string `json:"flags,omitempty" nullable:"false" doc:"The flags to take, with all that they depend on; absent is all flags and segments."`
		Prune bool     `json:"prune,omitzero" doc:"Whether what the other environment does not have is deleted."`
	}
}

type previewCommand struct {
	EnvironmentPath

	Body struct {
		_ struct{} `additionalProperties:"false"`

		Command Command `json:"command"`
	}
}

type previewBody struct {
	Body Preview
}

// Preview is what a command would do.
type Preview struct {
	Differences []Difference   `json:"differences" nullable:"false"`
	Risk        Risk           `json:"risk"`
	Permitted   bool           `json:"permitted" doc:"Whether you may do it at once."`
	Refused     *Problem       `json:"refused,omitempty" doc:"Why you may not do it at once; approvals is how many people must agree, if that makes it possible."`
	Warnings    []ProblemPlace `json:"warnings,omitempty" nullable:"false" doc:"Slips that would be tolerated."`
}

// Difference is a document that a command would change.
type Difference struct {
	Kind   string `json:"kind"`
	Key    string `json:"key"`
	Before value  `json:"before,omitempty" doc:"Absent if the document does not exist."`
	After  value  `json:"after,omitempty" doc:"Absent if the document would be deleted."`
}

// registerTransfers adds what changes many documents at once, and what tells before what a change would do.
func (a *api) registerTransfers(h huma.API) {
	const path = "/api/v1/environments/{environment}"
	huma.Register(h, operation(http.MethodPost, path+"/rollback", "rollBackEnvironment",
		"Make all documents what they were at a revision, as a new change", environmentsTag),
		func(ctx context.Context, in *rollBackEnvironment) (*writtenBody, error) {
			return a.doCommand(ctx, in.Environment, in.origin(ctx), Command{Type: "rollback", Revision: in.Body.Revision})
		})
	huma.Register(h, operation(http.MethodPost, path+"/promote", "promoteEnvironment",
		"Make documents what they are in another environment: add and change, and delete with prune", environmentsTag),
		func(ctx context.Context, in *promoteEnvironment) (*writtenBody, error) {
			return a.doCommand(ctx, in.Environment, in.origin(ctx), Command{Type: "promote", From: in.Body.From, Flags: in.Body.Flags, Prune: in.Body.Prune})
		})
	preview := needing(access.Read, operation(http.MethodPost, path+"/preview", "previewCommand",
		"Tell what a command would change, how risky that is, and who must agree", requestsTag))
	preview.Metadata[mustAuthenticate] = true
	huma.Register(h, preview, a.preview)
}

// doCommand carries out a command of the API at once.
func (a *api) doCommand(ctx context.Context, environment string, origin decide.Origin, c Command) (*writtenBody, error) {
	command, err := a.command(ctx, environment, c)
	if err != nil {
		return nil, err
	}
	out, err := a.do(ctx, environment, origin, command)
	if err == nil {
		out.ETag = ""
	}
	return out, err
}

func (a *api) preview(ctx context.Context, in *previewCommand) (*previewBody, error) {
	service, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	command, err := a.command(ctx, in.Environment, in.Body.Command)
	if err != nil {
		return nil, err
	}
	found, err := service.Preview(ctx, decide.Origin{Principal: caller(ctx)}, command)
	if err != nil {
		return nil, a.problem(err)
	}
	return &previewBody{Body: newPreview(found)}, nil
}

func newPreview(found decide.Preview) Preview {
	out := Preview{Differences: []Difference{}, Risk: *newRisk(found.Risk), Permitted: found.Refused == nil, Warnings: places(found.Warnings)}
	for _, d := range found.Differences {
		out.Differences = append(out.Differences, Difference{Kind: string(d.ID.Kind), Key: d.ID.Key, Before: d.Before, After: d.After})
	}
	if found.Refused != nil {
		out.Refused = refused(found.Refused)
	}
	return out
}
