package admin

import (
	"context"
	"net/http"
)

// WhoAmI returns who the publisher takes the caller for.
func (c *Client) WhoAmI(ctx context.Context) (Caller, error) {
	var who Caller
	_, err := c.do(ctx, Call{Path: []string{"whoami"}}, &who)
	return who, err
}

// Tokens returns all API tokens, the oldest first.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var list struct {
		Items []Token `json:"items"`
	}
	_, err := c.do(ctx, Call{Path: []string{"tokens"}}, &list)
	return list.Items, err
}

// CreateToken creates an API token. Its secret is returned here and nowhere else.
func (c *Client) CreateToken(ctx context.Context, n NewToken) (CreatedToken, error) {
	var created CreatedToken
	err := c.send(ctx, Call{Method: http.MethodPost, Path: []string{"tokens"}}, n, &created)
	return created, err
}

// RevokeToken ends an API token for good.
func (c *Client) RevokeToken(ctx context.Context, id string) (Token, error) {
	var token Token
	_, err := c.do(ctx, Call{Method: http.MethodDelete, Path: []string{"tokens", id}}, &token)
	return token, err
}

// Persons returns all persons who have changed something, the oldest first.
func (c *Client) Persons(ctx context.Context) ([]Person, error) {
	var list struct {
		Items []Person `json:"items"`
	}
	_, err := c.do(ctx, Call{Path: []string{"persons"}}, &list)
	return list.Items, err
}

// ErasePerson deletes the name and the subject of a person, who is named by id or subject.
func (c *Client) ErasePerson(ctx context.Context, person string) (Erased, error) {
	var erased Erased
	err := c.send(ctx, Call{Method: http.MethodPost, Path: []string{"persons", "erase"}}, map[string]string{"person": person}, &erased)
	return erased, err
}

// Risk returns what is risky in an environment.
func (c *Client) Risk(ctx context.Context, environment string) (RiskSettings, error) {
	var r RiskSettings
	_, err := c.do(ctx, Call{Path: []string{"environments", environment, "risk"}}, &r)
	return r, err
}

// SetRisk says what is risky in an environment.
func (c *Client) SetRisk(ctx context.Context, environment string, r RiskSettings, reason string) (RiskSettings, error) {
	var now RiskSettings
	err := c.send(ctx, Call{Method: http.MethodPut, Path: []string{"environments", environment, "risk"}, Reason: reason}, r, &now)
	return now, err
}
