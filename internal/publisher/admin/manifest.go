package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/manifest"
)

// manifestPath is where OpenFeature's command line looks below the address that it is given: that of the publisher, or of an environment.
const manifestPath = "/openfeature/v0/manifest"

// ManifestKey is the path of a flag in a manifest.
type ManifestKey struct {
	Key string `path:"key" doc:"The key."`
}

// CreateManifestFlag is a request to create a flag.
type CreateManifestFlag struct {
	api.ManifestHeaders

	Body api.NewManifestFlag
}

// UpdateManifestFlag is a request to change a flag.
type UpdateManifestFlag struct {
	ManifestKey
	api.ManifestHeaders

	Body api.ChangedManifestFlag
}

// ArchiveManifestFlag is a request to remove a flag.
type ArchiveManifestFlag struct {
	ManifestKey
	api.ManifestHeaders
}

// The same in an environment that the path names.
type (
	createManifestFlagOf struct {
		EnvironmentPath
		CreateManifestFlag
	}
	updateManifestFlagOf struct {
		EnvironmentPath
		UpdateManifestFlag
	}
	archiveManifestFlagOf struct {
		EnvironmentPath
		ArchiveManifestFlag
	}
)

// manifestAnswer is an answer with what the caller may do.
type manifestAnswer[T any] struct {
	Capabilities string `header:"X-Manifest-Capabilities" doc:"What you may do at once, without approvals: read, write and delete, separated by commas."`
	Body         T
}

type manifestBody struct {
	Revision string `header:"Flagside-Revision" doc:"The revision of the environment that was read."`
	Age      string `header:"Age" doc:"Seconds since it was certain that this is the newest revision: 0 unless the log does not answer; absent if never."`

	Capabilities string `header:"X-Manifest-Capabilities" doc:"What you may do at once, without approvals: read, write and delete, separated by commas."`
	Body         api.Manifest
}

func (s *server) registerManifest(h huma.API) {
	const inEnvironment = environmentsPath + "/{environment}" + manifestPath
	op := func(method, path, id, summary string) huma.Operation {
		return operation(method, path, id, summary, manifestTag)
	}
	huma.Register(h, reading(op(http.MethodGet, inEnvironment, "readManifest", "Read the flags of an environment as a manifest")),
		func(ctx context.Context, in *EnvironmentPath) (*manifestBody, error) {
			return s.manifest(ctx, in.Environment)
		})
	huma.Register(h, reading(op(http.MethodGet, manifestPath, "readOnlyManifest", "Read the flags of the only environment that you may read")),
		func(ctx context.Context, _ *struct{}) (*manifestBody, error) {
			return inOnly(ctx, s, func(environment string) (*manifestBody, error) { return s.manifest(ctx, environment) })
		})

	created := func(path, id, summary string) huma.Operation {
		create := op(http.MethodPost, path+"/flags", id, summary)
		create.DefaultStatus = http.StatusCreated
		return create
	}
	huma.Register(h, created(inEnvironment, "createManifestFlag", "Create a flag"),
		func(ctx context.Context, in *createManifestFlagOf) (*manifestAnswer[api.WrittenManifestFlag], error) {
			return s.createFromManifest(ctx, in.Environment, &in.CreateManifestFlag)
		})
	huma.Register(h, created(manifestPath, "createOnlyManifestFlag", "Create a flag in the only environment that you may read"),
		func(ctx context.Context, in *CreateManifestFlag) (*manifestAnswer[api.WrittenManifestFlag], error) {
			return inOnly(ctx, s, func(environment string) (*manifestAnswer[api.WrittenManifestFlag], error) {
				return s.createFromManifest(ctx, environment, in)
			})
		})

	const one = "/flags/{key}"
	huma.Register(h, op(http.MethodPut, inEnvironment+one, "updateManifestFlag", "Change description and default value of a flag"),
		func(ctx context.Context, in *updateManifestFlagOf) (*manifestAnswer[api.WrittenManifestFlag], error) {
			return s.updateFromManifest(ctx, in.Environment, &in.UpdateManifestFlag)
		})
	huma.Register(h, op(http.MethodPut, manifestPath+one, "updateOnlyManifestFlag",
		"Change description and default value of a flag of the only environment that you may read"),
		func(ctx context.Context, in *UpdateManifestFlag) (*manifestAnswer[api.WrittenManifestFlag], error) {
			return inOnly(ctx, s, func(environment string) (*manifestAnswer[api.WrittenManifestFlag], error) {
				return s.updateFromManifest(ctx, environment, in)
			})
		})

	huma.Register(h, op(http.MethodDelete, inEnvironment+one, "archiveManifestFlag", "Remove a flag that no other depends on"),
		func(ctx context.Context, in *archiveManifestFlagOf) (*manifestAnswer[api.ArchivedManifestFlag], error) {
			return s.archiveFromManifest(ctx, in.Environment, &in.ArchiveManifestFlag)
		})
	huma.Register(h, op(http.MethodDelete, manifestPath+one, "archiveOnlyManifestFlag",
		"Remove a flag that no other depends on, from the only environment that you may read"),
		func(ctx context.Context, in *ArchiveManifestFlag) (*manifestAnswer[api.ArchivedManifestFlag], error) {
			return inOnly(ctx, s, func(environment string) (*manifestAnswer[api.ArchivedManifestFlag], error) {
				return s.archiveFromManifest(ctx, environment, in)
			})
		})
}

// inOnly does something in the only environment that the caller may read.
func inOnly[T any](ctx context.Context, s *server, do func(environment string) (*T, error)) (*T, error) {
	environment, err := s.onlyEnvironment(ctx)
	if err != nil {
		return nil, err
	}
	return do(environment)
}

// onlyEnvironment returns the environment in use that the caller may read, if there is one and no other.
func (s *server) onlyEnvironment(ctx context.Context) (string, error) {
	all, err := s.options.Environments.List(ctx)
	if err != nil {
		return "", s.problem(err)
	}
	var names []string
	for _, e := range all {
		if e.Archived.IsZero() && s.mayRead(ctx, e.Name) {
			names = append(names, e.Name)
		}
	}
	switch len(names) {
	case 0:
		return "", newProblem(http.StatusNotFound, api.ProblemType+"environment-unknown", "There is no environment that you may read.")
	case 1:
		return names[0], nil
	default:
		return "", newProblem(http.StatusConflict, api.ProblemAmbiguous, fmt.Sprintf("This address has several environments: %s. "+
			"Say which one is meant at the end of the address, as in %s/%s.", strings.Join(names, ", "), environmentsPath, names[0]))
	}
}

// manifest reads the flags of an environment.
func (s *server) manifest(ctx context.Context, environment string) (*manifestBody, error) {
	c, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, s.problem(err)
	}
	state, age, unconfirmed := newest(ctx, c)
	if state == nil {
		return nil, s.problem(unconfirmed)
	}
	out := &manifestBody{Revision: state.Position().Token().String(), Age: age}
	out.Capabilities = s.capabilities(ctx, environment)
	out.Body.Flags = []api.ManifestFlag{}
	for _, f := range state.Rules().Flags() {
		told, err := manifest.Of(f)
		if err != nil {
			out.Body.LeftOut = append(out.Body.LeftOut, api.LeftOutFlag{Key: f.Key(), Reason: err.Error()})
			continue
		}
		out.Body.Flags = append(out.Body.Flags, newManifestFlag(told))
	}
	return out, nil
}

func newManifestFlag(f manifest.Flag) api.ManifestFlag {
	return api.ManifestFlag{Key: f.Key, Type: string(f.Type), Description: f.Description, DefaultValue: value(f.Default)}
}

// capabilities returns what the caller may do with the flags of an environment at once.
func (s *server) capabilities(ctx context.Context, environment string) string {
	able := []string{"read"}
	question := access.Question{Principal: caller(ctx), Resource: s.resource(ctx, environment)}
	question.Resource.Kind = string(document.KindFlag)
	for _, c := range []struct {
		name   string
		action access.Action
	}{{"write", access.Change}, {"delete", access.Archive}} {
		question.Action = c.action
		if s.options.Authorize(question).Permitted {
			able = append(able, c.name)
		}
	}
	return strings.Join(able, ",")
}

// forManifest adds to a problem what clients of OpenFeature's manifest API look for.
func (p *problem) forManifest(op *huma.Operation) {
	if !slices.Contains(op.Tags, manifestTag) {
		return
	}
	lines := []string{p.Detail}
	for _, e := range p.Errors {
		line := strings.TrimSpace(strings.Join([]string{e.Kind, e.Key, e.Pointer, e.Location}, " ")) + ": " + e.Reason
		if e.Hint != "" {
			line += " (" + e.Hint + ")"
		}
		lines = append(lines, line)
	}
	p.Manifest = &api.ManifestError{Message: strings.Join(lines, "\n"), Status: p.Status}
}

// forManifest is the transformer that adds this.
func forManifest(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem); ok {
		p.forManifest(ctx.Operation())
	}
	return v, nil
}

// archivedFlag is the problem of a key that a flag had before.
func archivedFlag(key string) *problem {
	return newProblem(http.StatusConflict, api.ProblemManifestConflict,
		fmt.Sprintf("Flag %q was archived: bring it back with flagside flag revive %s, or choose another key.", key, key))
}

// missingFrom returns what to answer about a flag that an environment does not have: that it was archived, or nil if it never was there.
func (s *server) missingFrom(ctx context.Context, environment, key string) error {
	c, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return s.problem(err)
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	for _, err := range c.History(ctx, document.ID{Kind: document.KindFlag, Key: key}) {
		if err != nil {
			return s.problem(err)
		}
		return archivedFlag(key)
	}
	return nil
}

// notFoundIn is missingFrom for what must be there.
func (s *server) notFoundIn(ctx context.Context, environment, key string) error {
	if err := s.missingFrom(ctx, environment, key); err != nil {
		return err
	}
	return s.problem(decide.NotFound(document.ID{Kind: document.KindFlag, Key: key}))
}
