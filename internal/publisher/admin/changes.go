package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

type patchDocument struct {
	DocumentPath
	api.WriteHeaders

	RawBody []byte `contentType:"application/merge-patch+json"`
}

type toggleFlag struct {
	DocumentPath
	api.WriteHeaders

	Body api.ToggleFlag
}

type archiveDocument struct {
	DocumentPath
	api.WriteHeaders

	Body api.ArchiveDocument
}

type rollBackDocument struct {
	DocumentPath
	api.ChangeHeaders

	Body api.RollBackDocument
}

// registerChanges adds what changes one document by more than replacing it.
func (s *server) registerChanges(h huma.API, r routes) {
	one := r.path + "/{key}"
	patch := operation(http.MethodPatch, one, "patch"+r.one, "Change members of a document by a JSON Merge Patch (RFC 7396)", r.tag)
	patch.RequestBody = &huma.RequestBody{Required: true}
	patch.SkipValidateBody = true // what it makes is validated by the evaluator
	huma.Register(h, patch, func(ctx context.Context, in *patchDocument) (*writtenBody, error) {
		return s.change(ctx, in.DocumentPath, in.WriteHeaders, func(seen decide.Precondition) decide.Command {
			return decide.Patch{ID: document.ID{Kind: r.kind, Key: in.Key}, Merge: in.RawBody, If: seen}
		})
	})
	patch.RequestBody.Content = map[string]*huma.MediaType{api.MergePatchMedia: {Schema: &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Description: "The members to change; null removes one.",
	}, Example: map[string]any{"defaultVariant": "on", "owner": nil}}}
	huma.Register(h, operation(http.MethodPost, one+"/archive", "archive"+r.one,
		"Remove a document; refused while others depend on it, unless they are to go along", r.tag),
		func(ctx context.Context, in *archiveDocument) (*writtenBody, error) {
			out, err := s.change(ctx, in.DocumentPath, in.WriteHeaders, func(seen decide.Precondition) decide.Command {
				return decide.Archive{ID: document.ID{Kind: r.kind, Key: in.Key}, Force: in.Body.Force, If: seen}
			})
			if err == nil {
				out.ETag = ""
			}
			return out, err
		})
	huma.Register(h, operation(http.MethodPost, one+"/rollback", "rollBack"+r.one,
		"Make a document what it was at a revision, as a new change", r.tag),
		func(ctx context.Context, in *rollBackDocument) (*writtenBody, error) {
			return s.doCommand(ctx, in.Environment, originOf(ctx, in.ChangeHeaders),
				api.Command{Type: "rollback", Kind: string(r.kind), Key: in.Key, Revision: in.Body.Revision})
		})
}

func (s *server) registerToggle(h huma.API) {
	huma.Register(h, operation(http.MethodPost, flagRoutes().path+"/{key}/toggle", "toggleFlag", "Turn a flag on or off", flagsTag),
		func(ctx context.Context, in *toggleFlag) (*writtenBody, error) {
			return s.change(ctx, in.DocumentPath, in.WriteHeaders, func(seen decide.Precondition) decide.Command {
				return decide.Toggle{Flag: in.Key, On: in.Body.On, If: seen}
			})
		})
}

// change carries out a command that says what its author has seen.
func (s *server) change(
	ctx context.Context, path DocumentPath, w api.WriteHeaders, command func(decide.Precondition) decide.Command,
) (*writtenBody, error) {
	seen, err := preconditionOf(w)
	if err != nil {
		return nil, err
	}
	return s.do(ctx, path.Environment, originOf(ctx, w.ChangeHeaders), command(seen))
}
