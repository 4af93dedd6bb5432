package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

const requestsPath = "/api/v1/environments/{environment}/requests"

type listRequests struct {
	EnvironmentPath
	api.RequestQuery
}

// selects reports whether a change request is asked for.
func (in *listRequests) selects(r requests.Request) bool {
	return (in.Status == "" || in.Status == string(r.Status)) && (!in.Review || r.ReviewOpen())
}

// RequestPath is the path of a change request.
type RequestPath struct {
	EnvironmentPath

	Request string `path:"request" maxLength:"64" doc:"The id of the change request."`
}

type getRequest struct {
	RequestPath
	api.RequestImpactQuery
}

type openedRequest struct {
	Location string `header:"Location" doc:"The path of the change request."`
	Body     api.ChangeRequest
}

type openRequest struct {
	EnvironmentPath
	api.ChangeHeaders

	Body api.NewRequest
}

type rebaseRequest struct {
	RequestPath
	api.ChangeHeaders

	Body api.NewRequest
}

type commentRequest struct {
	RequestPath
	api.ChangeHeaders

	Body api.CommentRequest
}

type approveRequest struct {
	RequestPath
	api.ChangeHeaders

	Body api.ApproveRequest
}

// moveRequest is a step of a change request that needs no more than a reason, in the headers.
type moveRequest struct {
	RequestPath
	api.ChangeHeaders
}

func (s *server) registerRequests(h huma.API) {
	huma.Register(h, reading(operation(http.MethodGet, requestsPath, "listRequests", "List change requests, the oldest first", requestsTag)), s.listRequests)
	open := operation(http.MethodPost, requestsPath, "openRequest", "Open a change request", requestsTag)
	open.DefaultStatus = http.StatusCreated
	huma.Register(h, open, s.openRequest)
	huma.Register(h, reading(operation(http.MethodGet, requestsPath+"/{request}", "getRequest", "Read a change request", requestsTag)), s.getRequest)
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/rebase", "rebaseRequest",
		"Update a change request to the current state; earlier approvals no longer count", requestsTag), s.rebaseRequest)
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/comment", "commentRequest", "Say something about a change request", requestsTag),
		func(ctx context.Context, in *commentRequest) (*content[api.ChangeRequest], error) {
			return s.govern(ctx, in.RequestPath, originOf(ctx, in.ChangeHeaders), decide.Comment{Request: in.Request, Text: in.Body.Text})
		})
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/approve", "approveRequest",
		"Agree to a change request as it is; 409 shows what has moved since it was made", requestsTag),
		func(ctx context.Context, in *approveRequest) (*content[api.ChangeRequest], error) {
			return s.govern(ctx, in.RequestPath, originOf(ctx, in.ChangeHeaders), decide.Approve{Request: in.Request, Hash: in.Body.Hash})
		})
	s.registerMove(h, "reject", "End a change request of another person",
		func(id string) decide.RequestCommand { return decide.Reject{Request: id} })
	s.registerMove(h, "withdraw", "End a change request of your own",
		func(id string) decide.RequestCommand { return decide.Withdraw{Request: id} })
	s.registerMove(h, "review", "Close what breaking the glass has left open",
		func(id string) decide.RequestCommand { return decide.Review{Request: id} })
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/apply", "applyRequest",
		"Apply a change request, or go on with applying it", requestsTag), s.applyRequest)
}

func (s *server) registerMove(h huma.API, step, summary string, command func(id string) decide.RequestCommand) {
	huma.Register(h, operation(http.MethodPost, requestsPath+"/{request}/"+step, step+"Request", summary, requestsTag),
		func(ctx context.Context, in *moveRequest) (*content[api.ChangeRequest], error) {
			return s.govern(ctx, in.RequestPath, originOf(ctx, in.ChangeHeaders), command(in.Request))
		})
}

func (s *server) govern(ctx context.Context, path RequestPath, origin decide.Origin, c decide.RequestCommand) (*content[api.ChangeRequest], error) {
	service, err := s.options.Environments.Control(ctx, path.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	r, err := service.HandleRequest(ctx, origin, c)
	return s.showRequest(ctx, service, r, err)
}

func (s *server) showRequest(ctx context.Context, service *control.Service, r requests.Request, err error) (*content[api.ChangeRequest], error) {
	if err != nil {
		return nil, s.ledgerProblem(err)
	}
	shown := s.namedRequest(ctx, r)
	shown.Warnings = places(r.Warnings)
	return &content[api.ChangeRequest]{Body: shown}, nil
}

func (s *server) namedRequest(ctx context.Context, r requests.Request) api.ChangeRequest {
	shown := newChangeRequest(r)
	shown.Names = s.names(ctx, idsIn(shown)...)
	return shown
}

// ledgerProblem returns what to answer to an error of what is recorded in the ledger: its own state tells what became of it.
func (s *server) ledgerProblem(err error) *problem {
	p := s.problem(err)
	if undecided, ok := errors.AsType[*control.Undecided](err); ok {
		p.OpID, p.Detail = "", "It is not decided yet whether this was recorded: read it again, and repeat it if it was not."
		return p.because(undecided.Cause)
	}
	return p
}

func (s *server) listRequests(ctx context.Context, in *listRequests) (*content[api.RequestList], error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	all, err := service.Requests(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	if after := slices.IndexFunc(all, func(r requests.Request) bool { return r.ID == in.After }); after >= 0 {
		all = all[after+1:]
	}
	out := &content[api.RequestList]{}
	out.Body.Items = []api.ChangeRequest{}
	for _, r := range all {
		if !in.selects(r) {
			continue
		}
		if n := len(out.Body.Items); n == in.Limit {
			out.Body.Next = out.Body.Items[n-1].ID
			break
		}
		out.Body.Items = append(out.Body.Items, s.namedRequest(ctx, r))
	}
	return out, nil
}

func (s *server) getRequest(ctx context.Context, in *getRequest) (*content[api.ChangeRequest], error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	r, err := service.Request(ctx, in.Request)
	shown, err := s.showRequest(ctx, service, r, err)
	if err == nil && in.Impact {
		shown.Body.Impact, err = s.impactOfRequest(ctx, service, in.Environment, r)
	}
	return shown, err
}

func (s *server) openRequest(ctx context.Context, in *openRequest) (*openedRequest, error) {
	service, command, origin, err := s.proposal(ctx, in.Environment, in.ChangeHeaders, in.Body)
	if err != nil {
		return nil, err
	}
	r, err := service.Open(ctx, origin, proposing(in.Body, command))
	opened, err := s.showRequest(ctx, service, r, err)
	if err != nil {
		return nil, err
	}
	return &openedRequest{Location: environmentsPath + "/" + in.Environment + "/requests/" + opened.Body.ID, Body: opened.Body}, nil
}

func (s *server) rebaseRequest(ctx context.Context, in *rebaseRequest) (*content[api.ChangeRequest], error) {
	service, command, origin, err := s.proposal(ctx, in.Environment, in.ChangeHeaders, in.Body)
	if err != nil {
		return nil, err
	}
	r, err := service.HandleRequest(ctx, origin, decide.Rebase{Request: in.Request, ProposalSpec: proposing(in.Body, command)})
	return s.showRequest(ctx, service, r, err)
}

// proposal returns what is needed to propose a command. The reason may be in the body or the header.
func (s *server) proposal(
	ctx context.Context, environment string, headers api.ChangeHeaders, n api.NewRequest,
) (*control.Service, decide.Command, decide.Origin, error) {
	origin := originOf(ctx, headers)
	if n.Reason != "" {
		origin.Reason = n.Reason
	}
	service, err := s.options.Environments.Control(ctx, environment)
	if err != nil {
		return nil, nil, origin, s.problem(err)
	}
	command, err := s.command(ctx, environment, n.Command)
	return service, command, origin, err
}

func (s *server) applyRequest(ctx context.Context, in *moveRequest) (*content[api.ChangeRequest], error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	ctx, t := s.begin(ctx, in.Environment, api.TaskApply, taskDocuments)
	defer t.abandon()
	r, err := service.Apply(ctx, originOf(ctx, in.ChangeHeaders), in.Request)
	out, err := s.showRequest(ctx, service, r, err)
	t.end(err, func(told *api.Task) { told.Request = in.Request })
	return out, err
}
