package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
)

const tokensPath = "/api/v1/tokens" // #nosec G101 -- a path

// Scope narrows what a token may do, whatever its groups may. Absent members narrow nothing.
type Scope struct {
	_ struct{} `additionalProperties:"false"`

	Environments []string `json:"environments,omitempty" nullable:"false" doc:"The only environments that it reaches."`
	Actions      []string `json:"actions,omitempty" nullable:"false" doc:"The only actions that it may take."`
}

func (s Scope) scope() access.Scope {
	out := access.Scope{Environments: s.Environments}
	for _, action := range s.Actions {
		out.Actions = append(out.Actions, access.Action(action))
	}
	return out
}

func newScope(s access.Scope) *Scope {
	if len(s.Environments) == 0 && len(s.Actions) == 0 {
		return nil
	}
	out := &Scope{Environments: s.Environments}
	for _, action := range s.Actions {
		out.Actions = append(out.Actions, string(action))
	}
	return out
}

// NewToken says what an API token is to be.
type NewToken struct {
	_ struct{} `additionalProperties:"false"`

	Name    string    `json:"name" example:"build server" doc:"What it is for. It stays in the audit trail and cannot be erased: do not name a person."`
	Groups  []string  `json:"groups" nullable:"false" doc:"The groups that policies know its holder by, such as flagside:editor."`
	Scope   *Scope    `json:"scope,omitempty"`
	Expires time.Time `json:"expires,omitzero" doc:"When it ends. A new token ends after a year at the latest, unless the publisher has another limit, and not after the token that it is made with."`
}

// Token is an API token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Hint    string    `json:"hint" doc:"How the secret ends."`
	Groups  []string  `json:"groups" nullable:"false"`
	Scope   *Scope    `json:"scope,omitempty"`
	Author  string    `json:"author" doc:"The opaque id of who created it."`
	Names   Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased)."`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero" doc:"When it ends. A new token ends after a year at the latest, unless the publisher has another limit, and not after the token that it is made with."`
	Revoked time.Time `json:"revoked,omitzero" doc:"When it was revoked; absent if it was not."`
	Revoker string    `json:"revoker,omitempty" doc:"The opaque id of who revoked it."`
}

// CreatedToken is a new API token with its secret, which is shown only once.
type CreatedToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"What its holder sends as a bearer token. It is shown here and never again."`
}

func (a *api) token(ctx context.Context, t access.Token) Token {
	return Token{
		ID: t.ID, Name: t.Name, Hint: t.Hint, Groups: t.Groups, Scope: newScope(t.Scope), Author: t.Author, Names: a.names(ctx, t.Author, t.Revoker),
		Created: t.Created, Expires: t.Expires, Revoked: t.Revoked, Revoker: t.Revoker,
	}
}

type tokenList struct {
	Body struct {
		Items []Token `json:"items" nullable:"false"`
	}
}

type createToken struct {
	AdministrationHeaders

	Body NewToken
}

type createdToken struct {
	CacheControl string `header:"Cache-Control" doc:"That the secret is not to be kept by those on its way."`
	Location     string `header:"Location" doc:"The path of the token."`
	Body         CreatedToken
}

type revokeToken struct {
	AdministrationHeaders

	Token string `path:"token" maxLength:"64" doc:"The id of the token."`
}

type tokenBody struct {
	Body Token
}

func (a *api) registerTokens(h huma.API) {
	huma.Register(h, needing(access.Administer, operation(http.MethodGet, tokensPath, "listTokens",
		"List API tokens, the oldest first, expired and revoked ones too", accessTag)), a.listTokens)
	create := needing(access.Administer, operation(http.MethodPost, tokensPath, "createToken", "Create an API token", accessTag))
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, a.createToken)
	huma.Register(h, needing(access.Administer, operation(http.MethodDelete, tokensPath+"/{token}", "revokeToken",
		"End an API token for good", accessTag)), a.revokeToken)
}

func (a *api) listTokens(ctx context.Context, _ *struct{}) (*tokenList, error) {
	all, err := a.options.Tokens.List()
	if err != nil {
		return nil, a.problem(err)
	}
	out := &tokenList{}
	out.Body.Items = []Token{}
	for _, t := range all {
		out.Body.Items = append(out.Body.Items, a.token(ctx, t))
	}
	return out, nil
}

func (a *api) createToken(ctx context.Context, in *createToken) (*createdToken, error) {
	wanted := access.NewToken{Name: in.Body.Name, Groups: in.Body.Groups, Expires: in.Body.Expires, Why: in.why()}
	if in.Body.Scope != nil {
		wanted.Scope = in.Body.Scope.scope()
	}
	token, secret, err := a.options.Tokens.Create(ctx, caller(ctx), wanted)
	if err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, in.AdministrationHeaders, "token", token.ID, "API token created")
	return &createdToken{CacheControl: "no-store", Location: tokensPath + "/" + token.ID, Body: CreatedToken{Token: a.token(ctx, token), Secret: secret}}, nil
}

func (a *api) revokeToken(ctx context.Context, in *revokeToken) (*tokenBody, error) {
	token, err := a.options.Tokens.Revoke(ctx, caller(ctx), in.Token, in.why())
	if err != nil {
		return nil, a.problem(err)
	}
	a.done(ctx, in.AdministrationHeaders, "token", token.ID, "API token revoked")
	return &tokenBody{Body: a.token(ctx, token)}, nil
}
