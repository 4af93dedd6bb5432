package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

const requestsPath = "/api/v1/environments/{environment}/requests"

type listRequests struct {
	EnvironmentPath

	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many change requests."`
	After  string `query:"after" maxLength:"64" doc:"Begin after this one: next of the answer before."`
	Status string `query:"status" enum:"open,claimed,applied,needs_rebase,failed,rejected,withdrawn,expired" doc:"Only those with this status."`
	Review bool   `query:"needsReview" doc:"Only those that were applied without approvals and have not been reviewed."`
}

// selects reports whether a change request is asked for.
func (in *listRequests) selects(r requests.Request) bool {
	return (in.Status == "" || in.Status == string(r.Status)) && (!in.Review || r.ReviewOpen())
}

type requestList struct {
	Body struct {
		Items []ChangeRequest `json:"items" nullable:"false"`
		Next  string          `json:"next,omitempty" doc:"Where the next part begins; absent at the end."`
	}
}

// RequestPath is the path of a change request.
type RequestPath struct {
	EnvironmentPath

	Request string `path:"request" maxLength:"64" doc:"The id of the change request."`
}

type requestBody struct {
	Body ChangeRequest
}

type openedRequest struct {
	Location string `header:"Location" doc:"The path of the change request."`
	Body     ChangeRequest
}

type openRequest struct {
	EnvironmentPath
	ChangeHeaders

	Body NewRequest
}

type rebaseRequest struct {
	RequestPath
	ChangeHeaders

	Body NewRequest
}

type commentRequest struct {
	RequestPath
	ChangeHeaders

	Body struct {
		_ struct{} `additionalProperties:"false"`

		Text string `json:"text" minLength:"1" doc:"What is to be said; at most 4,000 bytes. It cannot be erased: do not name a person."`
	}
}

type approveRequest struct {
	RequestPath
	ChangeHeaders

	Body struct {
		_ struct{} `additionalProperties:"false"`

		Hash string `json:"hash" doc:"The hash of the change request as its reader has seen it."`
	}
}

// moveRequest is a step of a change request that needs no more than a reason, in the headers.
type moveRequest struct {
	RequestPath
	ChangeHeaders
}

func (a *api) registerRequests(h huma.API) {
	huma.Register(h, reading(operation(http.MethodGet, requestsPath, "listRequests", "List change requests, the oldest first", requestsTag)), a.listRequests)
	open := operation(http.MethodPost, requestsPath, "openRequest", "Open a change request", requestsTag)
	open.DefaultStatus = http.StatusCreated
	huma.Register(h, open, a.openRequest)
	huma.Register(h, reading(operation(http.MethodGet, requestsPath+"/{request}", "getRequest", "Read a change request", requestsTag)), a.getRequest)
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/rebase", "rebaseRequest",
		"Update a change request to the current state; earlier approvals no longer count", requestsTag), a.rebaseRequest)
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/comment", "commentRequest", "Say something about a change request", requestsTag),
		func(ctx context.Context, in *commentRequest) (*requestBody, error) {
			return a.govern(ctx, in.RequestPath, in.origin(ctx), decide.Comment{Request: in.Request, Text: in.Body.Text})
		})
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/approve", "approveRequest",
		"Agree to a change request as it is; 409 shows what has moved since it was made", requestsTag),
		func(ctx context.Context, in *approveRequest) (*requestBody, error) {
			return a.govern(ctx, in.RequestPath, in.origin(ctx), decide.Approve{Request: in.Request, Hash: in.Body.Hash})
		})
	a.registerMove(h, "reject", "End a change request of another person",
		func(id string) decide.RequestCommand { return decide.Reject{Request: id} })
	a.registerMove(h, "withdraw", "End a change request of your own",
		func(id string) decide.RequestCommand { return decide.Withdraw{Request: id} })
	a.registerMove(h, "review", "Close what breaking the glass has left open",
		func(id string) decide.RequestCommand { return decide.Review{Request: id} })
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/apply", "applyRequest",
		"Apply a change request, or go on with applying it", requestsTag), a.applyRequest)
}

func (a *api) registerMove(h huma.API, step, summary string, command func(id string) decide.RequestCommand) {
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/"+step, step+"Request", summary, requestsTag),
		func(ctx context.Context, in *moveRequest) (*requestBody, error) {
			return a.govern(ctx, in.RequestPath, in.origin(ctx), command(in.Request))
		})
}

func (a *api) govern(ctx context.Context, path RequestPath, origin decide.Origin, c decide.RequestCommand) (*requestBody, error) {
	service, err := a.options.Environments.Control(ctx, path.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	r, err := service.HandleRequest(ctx, origin, c)
	return a.showRequest(ctx, service, r, err)
}

func (a *api) showRequest(ctx context.Context, service *control.Service, r requests.Request, err error) (*requestBody, error) {
	if err != nil {
		return nil, a.ledgerProblem(err)
	}
	shown := a.namedRequest(ctx, r)
	shown.Warnings = places(r.Warnings)
	return &requestBody{Body: shown}, nil
}

func (a *api) namedRequest(ctx context.Context, r requests.Request) ChangeRequest {
	shown := newChangeRequest(r)
	shown.Names = a.names(ctx, shown.ids()...)
	return shown
}

// ledgerProblem returns what to answer to an error of what is recorded in the ledger: its own state tells what became of it.
func (a *api) ledgerProblem(err error) *Problem {
	p := a.problem(err)
	if undecided, ok := errors.AsType[*control.Undecided](err); ok {
		p.OpID, p.Detail = "", "It is not decided yet whether this was recorded: read it again, and repeat it if it was not."
		return p.because(undecided.Cause)
	}
	return p
}

func (a *api) listRequests(ctx context.Context, in *listRequests) (*requestList, error) {
	service, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	all, err := service.Requests(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	if after := slices.IndexFunc(all, func(r requests.Request) bool { return r.ID == in.After }); after >= 0 {
		all = all[after+1:]
	}
	out := &requestList{}
	out.Body.Items = []ChangeRequest{}
	for _, r := range all {
		if !in.selects(r) {
			continue
		}
		if n := len(out.Body.Items); n == in.Limit {
			out.Body.Next = out.Body.Items[n-1].ID
			break
		}
		out.Body.Items = append(out.Body.Items, a.namedRequest(ctx, r))
	}
	return out, nil
}

func (a *api) getRequest(ctx context.Context, in *RequestPath) (*requestBody, error) {
	service, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	r, err := service.Request(ctx, in.Request)
	return a.showRequest(ctx, service, r, err)
}

func (a *api) openRequest(ctx context.Context, in *openRequest) (*openedRequest, error) {
	service, command, origin, err := a.proposal(ctx, in.Environment, in.ChangeHeaders, in.Body)
	if err != nil {
		return nil, err
	}
	r, err := service.Open(ctx, origin, in.Body.proposing(command))
	opened, err := a.showRequest(ctx, service, r, err)
	if err != nil {
		return nil, err
	}
	return &openedRequest{Location: environmentsPath + "/" + in.Environment + "/requests/" + opened.Body.ID, Body: opened.Body}, nil
}

func (a *api) rebaseRequest(ctx context.Context, in *rebaseRequest) (*requestBody, error) {
	service, command, origin, err := a.proposal(ctx, in.Environment, in.ChangeHeaders, in.Body)
	if err != nil {
		return nil, err
	}
	r, err := service.HandleRequest(ctx, origin, decide.Rebase{Request: in.Request, ProposalSpec: in.Body.proposing(command)})
	return a.showRequest(ctx, service, r, err)
}

// proposal returns what is needed to propose a command. The reason may be in the body or the header.
func (a *api) proposal(
	ctx context.Context, environment string, headers ChangeHeaders, n NewRequest,
) (*control.Service, decide.Command, decide.Origin, error) {
	origin := headers.origin(ctx)
	if n.Reason != "" {
		origin.Reason = n.Reason
	}
	service, err := a.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, nil, origin, a.problem(err)
	}
	command, err := a.command(ctx, environment, n.Command)
	return service, command, origin, err
}

func (a *api) applyRequest(ctx context.Context, in *moveRequest) (*requestBody, error) {
	service, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	r, err := service.Apply(ctx, in.origin(ctx), in.Request)
	return a.showRequest(ctx, service, r, err)
}
