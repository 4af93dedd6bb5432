package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

const tokensPath = "/api/v1/tokens" // #nosec G101 -- a path

func scopeOf(s api.Scope) access.Scope {
	out := access.Scope{Environments: s.Environments}
	for _, action := range s.Actions {
		out.Actions = append(out.Actions, access.Action(action))
	}
	return out
}

func newScope(s access.Scope) *api.Scope {
	if len(s.Environments) == 0 && len(s.Actions) == 0 {
		return nil
	}
	out := &api.Scope{Environments: s.Environments}
	for _, action := range s.Actions {
		out.Actions = append(out.Actions, string(action))
	}
	return out
}

func (s *server) token(ctx context.Context, t access.Token) api.Token {
	return api.Token{
		ID: t.ID, Name: t.Name, Hint: t.Hint, Groups: t.Groups, Scope: newScope(t.Scope), Author: t.Author, Names: s.names(ctx, t.Author, t.Revoker),
		Created: t.Created, Expires: t.Expires, Revoked: t.Revoked, Revoker: t.Revoker,
	}
}

type createToken struct {
	api.AdministrationHeaders

	Body api.NewToken
}

type createdToken struct {
	CacheControl string `header:"Cache-Control" doc:"That the secret is not to be kept by those on its way."`
	Location     string `header:"Location" doc:"The path of the token."`
	Body         api.CreatedToken
}

type revokeToken struct {
	api.AdministrationHeaders

	Token string `path:"token" maxLength:"64" doc:"The id of the token."`
}

func (s *server) registerTokens(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, tokensPath, "listTokens",
		"List API tokens, the oldest first, expired and revoked ones too", accessTag)), s.listTokens)
	create := needing(access.Administer, operation(http.MethodPost, tokensPath, "createToken", "Create an API token", accessTag))
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, s.createToken)
	huma.Register(h, needing(access.Administer, operation(http.MethodDelete, tokensPath+"/{token}", "revokeToken",
		"End an API token for good", accessTag)), s.revokeToken)
}

func (s *server) listTokens(ctx context.Context, _ *struct{}) (*content[api.TokenList], error) {
	all, err := s.options.Tokens.List()
	if err != nil {
		return nil, s.problem(err)
	}
	out := &content[api.TokenList]{}
	out.Body.Items = []api.Token{}
	for _, t := range all {
		out.Body.Items = append(out.Body.Items, s.token(ctx, t))
	}
	return out, nil
}

func (s *server) createToken(ctx context.Context, in *createToken) (*createdToken, error) {
	wanted := access.NewToken{Name: in.Body.Name, Groups: in.Body.Groups, Expires: in.Body.Expires, Why: whyOf(in.AdministrationHeaders)}
	if in.Body.Scope != nil {
		wanted.Scope = scopeOf(*in.Body.Scope)
	}
	token, secret, err := s.options.Tokens.Create(ctx, caller(ctx), wanted)
	if err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, in.AdministrationHeaders, "token", token.ID, "API token created")
	return &createdToken{CacheControl: "no-store", Location: tokensPath + "/" + token.ID, Body: api.CreatedToken{Token: s.token(ctx, token), Secret: secret}}, nil
}

func (s *server) revokeToken(ctx context.Context, in *revokeToken) (*content[api.Token], error) {
	token, err := s.options.Tokens.Revoke(ctx, caller(ctx), in.Token, whyOf(in.AdministrationHeaders))
	if err != nil {
		return nil, s.problem(err)
	}
	s.done(ctx, in.AdministrationHeaders, "token", token.ID, "API token revoked")
	return &content[api.Token]{Body: s.token(ctx, token)}, nil
}
