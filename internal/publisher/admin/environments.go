package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// Environment is what the API tells of an environment.
type Environment struct {
	Name      string    `json:"name"`
	Epoch     string    `json:"epoch" doc:"The history that revisions belong to; they begin with its first eight digits."`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"createdBy" doc:"The opaque id of who created it."`
	Names     Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Archived  time.Time `json:"archived,omitzero" doc:"When it was taken out of use; absent while it is in use."`
	Destroyed time.Time `json:"destroyed,omitzero" doc:"When its flags were deleted for good; absent while it can be revived. Its ledger stays."`
	Revision  string    `json:"revision,omitempty" doc:"The newest revision known here; absent until it was read completely."`
	Flags     int       `json:"flags" doc:"The number of flags at that revision."`
	AgeMs     *int64    `json:"ageMs,omitempty" doc:"Milliseconds since it was certain that this is the newest revision; absent if never."`
	Protected bool      `json:"protected" doc:"Whether every change is risky, which getRisk and patchRisk are about."`
	ReadOnly  string    `json:"readOnly,omitempty" doc:"Where it is changed instead of here; absent if here."`
	Refused   string    `json:"writesRefused,omitempty" doc:"Why nothing can be written now; absent if it can."`
}

// EnvironmentPath is the path of an environment.
type EnvironmentPath struct {
	Environment string `path:"environment" doc:"The name of the environment." maxLength:"63"`
}

const environmentsPath = "/api/v1/environments"

type archiveEnvironment struct {
	EnvironmentPath
	AdministrationHeaders
}

type environmentList struct {
	Body struct {
		Items []Environment `json:"items" nullable:"false"`
	}
}

type environmentBody struct {
	Body Environment
}

type createEnvironment struct {
	AdministrationHeaders

	Body newEnvironment
}

type createdEnvironment struct {
	Location string `header:"Location" doc:"The path of the environment."`
	Body     Environment
}

type newEnvironment struct {
	_ struct{} `additionalProperties:"false"`

	Name          string `json:"name" example:"staging" doc:"A DNS label in lower case that begins with a letter, of at most 63 characters."`
	Compatibility string `json:"compatibility,omitempty" enum:"flagd" doc:"Whose strictness the flags follow; absent is the publisher's."`
	Protected     *bool  `json:"protected,omitempty" doc:"Whether every change is risky; absent is yes for prod and production, and no for others."`
}

func (a *api) registerEnvironments(h huma.API) {
	const path = environmentsPath
	huma.Register(h, reading(operation(http.MethodGet, path, "listEnvironments", "List the environments that you may read", environmentsTag)),
		a.listEnvironments)
	create := operation(http.MethodPost, path, "createEnvironment", "Create an environment", environmentsTag)
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, a.createEnvironment)
	huma.Register(h, reading(operation(http.MethodGet, path+"/{environment}", "getEnvironment", "Read an environment", environmentsTag)),
		a.getEnvironment)
	huma.Register(h, needing(access.Archive, operation(http.MethodPost, path+"/{environment}/archive", "archiveEnvironment",
		"Take an environment out of use; its log stays", environmentsTag)), a.archiveEnvironment)
	huma.Register(h, needing(access.Archive, operation(http.MethodPost, path+"/{environment}/revive", "reviveEnvironment",
		"Take an archived environment into use again, as it was", environmentsTag)), a.reviveEnvironment)
}

func (a *api) listEnvironments(ctx context.Context, _ *struct{}) (*environmentList, error) {
	all, err := a.options.Environments.List(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	list := &environmentList{}
	list.Body.Items = []Environment{}
	for _, e := range all {
		if a.mayRead(ctx, e.Name) {
			list.Body.Items = append(list.Body.Items, a.describe(ctx, e))
		}
	}
	return list, nil
}

func (a *api) createEnvironment(ctx context.Context, in *createEnvironment) (*createdEnvironment, error) {
	question := access.Question{Principal: caller(ctx), Action: access.Administer, Resource: a.resource(ctx, in.Body.Name)}
	question.Circumstances.BreakGlass = breaksGlass(in.BreakGlass, in.Reason)
	if p := a.refusedTo(ctx, question); p != nil {
		return nil, p
	}
	author, err := a.options.People.Identify(ctx, caller(ctx))
	if err != nil {
		return nil, a.problem(err)
	}
	ctx = context.WithValue(ctx, callerKey{}, author)
	e, err := a.options.Environments.Create(ctx, in.Body.Name, in.order(ctx), eval.Compatibility(in.Body.Compatibility))
	if err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, in.AdministrationHeaders, "environment", e.Name, "an environment was created")
	if p := a.protect(ctx, in); p != nil {
		return nil, p
	}
	return &createdEnvironment{Location: environmentsPath + "/" + e.Name, Body: a.describe(ctx, e)}, nil
}

// protect says that every change in a new environment is risky, or not, if that was asked for and is not so already.
func (a *api) protect(ctx context.Context, in *createEnvironment) error {
	name, wanted := in.Body.Name, in.Body.Protected
	if wanted == nil || *wanted == control.DefaultRiskSettings(name).Protected {
		return nil
	}
	settings := control.DefaultRiskSettings(name)
	settings.Protected = *wanted
	_, err := a.changeRisk(ctx, EnvironmentPath{Environment: name}, ChangeHeaders{Reason: in.Reason}, control.SetRisk{Settings: settings})
	p, refused := errors.AsType[*Problem](err)
	if !refused {
		return err
	}
	p.Detail = fmt.Sprintf("Environment %s was created, but could not be marked: protected is %t there. Run flagside environment risk %s --protected=%t. "+
		"The cause: %s", name, !*wanted, name, *wanted, p.Detail)
	return p
}

func (a *api) getEnvironment(ctx context.Context, in *EnvironmentPath) (*environmentBody, error) {
	e, err := a.find(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	return &environmentBody{Body: a.describe(ctx, e)}, nil
}

func (a *api) archiveEnvironment(ctx context.Context, in *archiveEnvironment) (*environmentBody, error) {
	if err := a.options.Environments.Archive(ctx, in.Environment, in.order(ctx)); err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, in.AdministrationHeaders, "environment", in.Environment, "an environment was taken out of use")
	return a.getEnvironment(ctx, &in.EnvironmentPath)
}

func (a *api) reviveEnvironment(ctx context.Context, in *archiveEnvironment) (*environmentBody, error) {
	if err := a.options.Environments.Revive(ctx, in.Environment, in.order(ctx)); err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, in.AdministrationHeaders, "environment", in.Environment, "an environment was taken into use again")
	return a.getEnvironment(ctx, &in.EnvironmentPath)
}

func (a *api) find(ctx context.Context, name string) (writer.Environment, error) {
	all, err := a.options.Environments.List(ctx)
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
func (a *api) describe(ctx context.Context, e writer.Environment) Environment {
	d := Environment{
		Name: e.Name, Epoch: string(e.Epoch), Created: e.Created, CreatedBy: e.Actor, Names: a.names(ctx, e.Actor),
		Archived: e.Archived, Destroyed: e.Destroyed,
	}
	if !e.Archived.IsZero() {
		return d
	}
	c, err := a.options.Environments.Control(ctx, e.Name)
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
