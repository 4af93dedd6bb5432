package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// EnvironmentPath is the path of an environment.
type EnvironmentPath struct {
	Environment string `path:"environment" doc:"The name of the environment." maxLength:"63"`
}

const environmentsPath = "/api/v1/environments"

// administerEnvironment is a request to administer an environment that needs no more than headers.
type administerEnvironment struct {
	EnvironmentPath
	api.AdministrationHeaders
}

type createEnvironment struct {
	api.AdministrationHeaders

	Body api.NewEnvironment
}

type createdEnvironment struct {
	Location string `header:"Location" doc:"The path of the environment."`
	Body     api.Environment
}

func (s *server) registerEnvironments(h huma.API) {
	const path = environmentsPath
	huma.Register(h, reading(operation(http.MethodGet, path, "listEnvironments", "List the environments that you may read", environmentsTag)),
		s.listEnvironments)
	create := operation(http.MethodPost, path, "createEnvironment", "Create an environment", environmentsTag)
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, s.createEnvironment)
	huma.Register(h, reading(operation(http.MethodGet, path+"/{environment}", "getEnvironment", "Read an environment", environmentsTag)),
		s.getEnvironment)
	huma.Register(h, needing(access.Archive, operation(http.MethodPost, path+"/{environment}/archive", "archiveEnvironment",
		"Take an environment out of use; its log stays", environmentsTag)), s.archiveEnvironment)
	huma.Register(h, needing(access.Archive, operation(http.MethodPost, path+"/{environment}/revive", "reviveEnvironment",
		"Take an archived environment into use again, as it was", environmentsTag)), s.reviveEnvironment)
}

func (s *server) listEnvironments(ctx context.Context, _ *struct{}) (*content[api.EnvironmentList], error) {
	all, err := s.options.Environments.List(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	list := &content[api.EnvironmentList]{}
	list.Body.Items = []api.Environment{}
	for _, e := range all {
		if s.mayRead(ctx, e.Name) {
			list.Body.Items = append(list.Body.Items, s.describe(ctx, e))
		}
	}
	return list, nil
}

func (s *server) createEnvironment(ctx context.Context, in *createEnvironment) (*createdEnvironment, error) {
	question := access.Question{Principal: caller(ctx), Action: access.Administer, Resource: s.resource(ctx, in.Body.Name)}
	question.Circumstances.BreakGlass = breaksGlass(in.BreakGlass, in.Reason)
	if p := s.refusedTo(ctx, question); p != nil {
		return nil, p
	}
	author, err := s.options.People.Identify(ctx, caller(ctx))
	if err != nil {
		return nil, s.problem(err)
	}
	ctx = context.WithValue(ctx, callerKey{}, author)
	e, err := s.options.Environments.Create(ctx, in.Body.Name, orderOf(ctx, in.AdministrationHeaders), eval.Compatibility(in.Body.Compatibility))
	if err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, in.AdministrationHeaders, "environment", e.Name, "environment created")
	if p := s.protect(ctx, in); p != nil {
		return nil, p
	}
	return &createdEnvironment{Location: environmentsPath + "/" + e.Name, Body: s.describe(ctx, e)}, nil
}

// protect says that every change in a new environment is risky, or not, if that was asked for and is not so already.
func (s *server) protect(ctx context.Context, in *createEnvironment) error {
	name, wanted := in.Body.Name, in.Body.Protected
	if wanted == nil || *wanted == risk.DefaultSettings(name).Protected {
		return nil
	}
	settings := risk.DefaultSettings(name)
	settings.Protected = *wanted
	_, err := s.changeRisk(ctx, EnvironmentPath{Environment: name}, api.ChangeHeaders{Reason: in.Reason}, decide.SetRisk{Settings: settings})
	p, refused := errors.AsType[*problem](err)
	if !refused {
		return err
	}
	p.Detail = fmt.Sprintf("Environment %s was created, but could not be marked: protected is %t there. Run flagside environment risk %s --protected=%t. "+
		"The cause: %s", name, !*wanted, name, *wanted, p.Detail)
	return p
}

func (s *server) getEnvironment(ctx context.Context, in *EnvironmentPath) (*content[api.Environment], error) {
	e, err := s.find(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	return &content[api.Environment]{Body: s.describe(ctx, e)}, nil
}

func (s *server) archiveEnvironment(ctx context.Context, in *administerEnvironment) (*content[api.Environment], error) {
	if err := s.options.Environments.Archive(ctx, in.Environment, orderOf(ctx, in.AdministrationHeaders)); err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, in.AdministrationHeaders, "environment", in.Environment, "environment archived")
	return s.getEnvironment(ctx, &in.EnvironmentPath)
}

func (s *server) reviveEnvironment(ctx context.Context, in *administerEnvironment) (*content[api.Environment], error) {
	if err := s.options.Environments.Revive(ctx, in.Environment, orderOf(ctx, in.AdministrationHeaders)); err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, in.AdministrationHeaders, "environment", in.Environment, "environment revived")
	return s.getEnvironment(ctx, &in.EnvironmentPath)
}

func (s *server) find(ctx context.Context, name string) (writer.Environment, error) {
	all, err := s.options.Environments.List(ctx)
	if err != nil {
		return writer.Environment{}, err
	}
	for _, e := range all {
		if e.Name == name {
			return e, nil
		}
	}
	return writer.Environment{}, unknownEnvironment(name)
}

// describe adds what this publisher knows of the environment.
func (s *server) describe(ctx context.Context, e writer.Environment) api.Environment {
	d := api.Environment{
		Name: e.Name, Epoch: string(e.Epoch), Created: e.Created, CreatedBy: e.Actor, Names: s.names(ctx, e.Actor),
		Archived: e.Archived, Destroyed: e.Destroyed,
	}
	if !e.Archived.IsZero() {
		return d
	}
	c, err := s.options.Environments.Control(ctx, e.Name)
	if err != nil {
		d.Refused = err.Error()
		return d
	}
	d.ReadOnly, d.Protected = c.ReadOnly(), c.KnownRisk().Protected
	if err := c.Writable(); err != nil {
		d.Refused = err.Error()
	}
	if state, err := c.Known(); err == nil {
		d.Epoch = string(state.Position().Epoch)
		d.Revision = state.Position().Token().String()
		d.Flags = state.Rules().Len()
	}
	d.AgeMs = ageMs(c.Status())
	return d
}

// ageMs returns how long ago the state was certainly the newest, in milliseconds, or nil if it never was.
func ageMs(s follow.Status) *int64 {
	if !s.AgeKnown {
		return nil
	}
	return new(s.Age.Milliseconds())
}
