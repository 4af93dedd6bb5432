package client

import (
	"context"
	"net/http"

	"github.com/flagside/flagside/internal/publisher/api"
)

// WhoAmI returns who the publisher takes the caller for.
func (c *Client) WhoAmI(ctx context.Context) (api.Caller, error) {
	return answer[api.Caller](ctx, c, get("whoami"))
}

// CheckPolicy returns what policies permit, and which of them decide.
func (c *Client) CheckPolicy(ctx context.Context, q api.PolicyQuestion) (api.PolicyAnswer, error) {
	return answer[api.PolicyAnswer](ctx, c, post("policy", "check").readOnly().json(q))
}

// Tokens returns all API tokens, the oldest first.
func (c *Client) Tokens(ctx context.Context) (api.TokenList, error) {
	return answer[api.TokenList](ctx, c, get("tokens"))
}

// CreateToken creates an API token. Its secret is returned here and nowhere else.
func (c *Client) CreateToken(ctx context.Context, n api.NewToken, h api.AdministrationHeaders) (api.CreatedToken, error) {
	return answer[api.CreatedToken](ctx, c, post("tokens").with(h).json(n))
}

// RevokeToken ends an API token for good.
func (c *Client) RevokeToken(ctx context.Context, id string, h api.AdministrationHeaders) (api.Token, error) {
	return answer[api.Token](ctx, c, newRequest(http.MethodDelete, "tokens", id).with(h))
}

// Sessions returns the sessions of the console, the oldest first: those of the caller, and those of all for administrators.
func (c *Client) Sessions(ctx context.Context) (api.SessionList, error) {
	return answer[api.SessionList](ctx, c, get("sessions"))
}

// RevokeSession ends a session of the console.
func (c *Client) RevokeSession(ctx context.Context, id string) (api.Session, error) {
	return answer[api.Session](ctx, c, newRequest(http.MethodDelete, "sessions", id))
}

// Persons returns all persons who have changed something, the oldest first.
func (c *Client) Persons(ctx context.Context) (api.PersonList, error) {
	return answer[api.PersonList](ctx, c, get("persons"))
}

// ErasePerson deletes the name and the subject of a person, who is named by id or subject.
func (c *Client) ErasePerson(ctx context.Context, person string, h api.AdministrationHeaders) (api.Erased, error) {
	return answer[api.Erased](ctx, c, post("persons", "erase").with(h).json(api.ErasePerson{Person: person}))
}

// Risk returns what is risky in an environment.
func (c *Client) Risk(ctx context.Context, environment string) (api.RiskSettings, error) {
	return answer[api.RiskSettings](ctx, c, get("environments", environment, "risk"))
}

// PutRisk says what is risky in an environment.
func (c *Client) PutRisk(ctx context.Context, environment string, r api.RiskSettings, h api.ChangeHeaders) (api.RiskSettings, error) {
	return answer[api.RiskSettings](ctx, c, newRequest(http.MethodPut, "environments", environment, "risk").with(h).json(r))
}

// PatchRisk changes what is risky in an environment by a JSON Merge Patch (RFC 7396).
func (c *Client) PatchRisk(ctx context.Context, environment string, patch []byte, h api.ChangeHeaders) (api.RiskSettings, error) {
	return answer[api.RiskSettings](ctx, c, newRequest(http.MethodPatch, "environments", environment, "risk").with(h).merge(patch))
}
