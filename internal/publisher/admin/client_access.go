package admin

import (
	"context"
	"net/http"
)

// WhoAmI returns who the publisher takes the caller for.
func (c *Client) WhoAmI(ctx context.Context) (Caller, error) {
	var who Caller
	_, err := c.do(ctx, request{method: http.MethodGet, path: []string{"whoami"}}, &who)
	return who, err
}

// CheckPolicy asks what the publisher's policies say.
func (c *Client) CheckPolicy(ctx context.Context, q PolicyQuestion) (PolicyAnswer, error) {
	var answer PolicyAnswer
	err := c.send(ctx, request{method: http.MethodPost, path: []string{"policy", "check"}}, q, &answer)
	return answer, err
}

// Tokens returns all API tokens, the oldest first.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var list struct {
		Items []Token `json:"items"`
	}
	_, err := c.do(ctx, request{method: http.MethodGet, path: []string{"tokens"}}, &list)
	return list.Items, err
}

// CreateToken creates an API token. Its secret is returned here and nowhere else.
func (c *Client) CreateToken(ctx context.Context, n NewToken) (CreatedToken, error) {
	var created CreatedToken
	err := c.send(ctx, request{method: http.MethodPost, path: []string{"tokens"}}, n, &created)
	return created, err
}

// RevokeToken ends an API token for good.
func (c *Client) RevokeToken(ctx context.Context, id string) (Token, error) {
	var token Token
	_, err := c.do(ctx, request{method: http.MethodDelete, path: []string{"tokens", id}}, &token)
	return token, err
}

// Risk returns what is risky in an environment.
func (c *Client) Risk(ctx context.Context, environment string) (RiskSettings, error) {
	var r RiskSettings
	_, err := c.do(ctx, request{method: http.MethodGet, path: []string{"environments", environment, "risk"}}, &r)
	return r, err
}

// SetRisk says what is risky in an environment.
func (c *Client) SetRisk(ctx context.Context, environment string, r RiskSettings, reason string) (RiskSettings, error) {
	var now RiskSettings
	err := c.send(ctx, request{method: http.MethodPut, path: []string{"environments", environment, "risk"}, reason: reason}, r, &now)
	return now, err
}
