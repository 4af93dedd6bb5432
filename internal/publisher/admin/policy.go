package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

func (s *server) registerPolicy(h huma.API) {
	huma.Register(h, operation(http.MethodGet, "/api/v1/whoami", "whoami", "Tell who makes the request", accessTag), s.whoAmI)
	huma.Register(h, operation(http.MethodPost, "/api/v1/policy/check", "checkPolicy",
		"Tell what policies permit, and which of them decide", accessTag), s.checkPolicy)
}

func (s *server) whoAmI(ctx context.Context, _ *struct{}) (*content[api.Caller], error) {
	p := caller(ctx)
	out := &content[api.Caller]{Body: api.Caller{ID: p.ID, Subject: p.Subject, Name: p.Name, Kind: string(p.Kind), Groups: p.Groups, Scope: newScope(p.Scope)}}
	if out.Body.Groups == nil {
		out.Body.Groups = []string{}
	}
	return out, nil
}

func (s *server) checkPolicy(ctx context.Context, in *content[api.PolicyQuestion]) (*content[api.PolicyAnswer], error) {
	principal := caller(ctx)
	if in.Body.Principal != "" && in.Body.Principal != principal.PolicyID() {
		if p := s.refusedTo(ctx, access.Question{Principal: principal, Action: access.Administer}); p != nil {
			return nil, p
		}
		principal = access.Principal{ID: in.Body.Principal, Name: in.Body.Principal, Groups: in.Body.Groups}
	}
	about := in.Body.Resource
	resource := s.resource(ctx, about.Environment)
	resource.Kind, resource.Key, resource.FlagSet, resource.Owner = about.Kind, about.Key, about.FlagSet, about.Owner
	resource.FlagKind, resource.Tags = about.FlagKind, about.Tags
	answer := s.options.Authorize(access.Question{
		Principal: principal, Action: access.Action(in.Body.Action), Resource: resource,
		Circumstances: access.Circumstances{
			Approvals: in.Body.Approvals, OwnRequest: in.Body.OwnRequest, BreakGlass: in.Body.BreakGlass,
			Risk: access.Risk{Dependants: in.Body.Dependants},
		},
	})
	out := &content[api.PolicyAnswer]{Body: api.PolicyAnswer{
		Permitted: answer.Permitted, Approvals: answer.Approvals, Policies: answer.Policies, Errors: answer.Errors,
	}}
	if out.Body.Policies == nil {
		out.Body.Policies = []string{}
	}
	return out, nil
}
