package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxExplanation bounds the explanation of a sidecar, in bytes.
const maxExplanation = 16 << 20

// Page is an answer outside of the API. Whatever its status is, it is no error.
type Page struct {
	Status int
	Header http.Header
	Body   []byte
}

// Ready asks a publisher, or a sidecar at its management address, whether it is ready: its status is 200 then.
func (c *Client) Ready(ctx context.Context) (Page, error) {
	return c.page(ctx, http.MethodGet, "/readyz", nil, maxProblem)
}

// Status asks a publisher, or a sidecar at its management address, for its state, which is JSON.
func (c *Client) Status(ctx context.Context) (Page, error) {
	return c.page(ctx, http.MethodGet, "/status", nil, maxProblem)
}

// Explain asks a sidecar, at its management address, what a flag answers for an evaluation context, and why.
func (c *Client) Explain(ctx context.Context, flag string, evaluation jsontext.Value) (Page, error) {
	body, err := json.Marshal(struct {
		Context jsontext.Value `json:"context"`
	}{evaluation}, jsontext.PreserveRawStrings(true))
	if err != nil {
		return Page{}, err
	}
	return c.page(ctx, http.MethodPost, "/explain/"+url.PathEscape(flag), body, maxExplanation)
}

func (c *Client) page(ctx context.Context, method, path string, body []byte, most int64) (Page, error) {
	out, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.base.String(), "/")+path, bytes.NewReader(body))
	if err != nil {
		return Page{}, fmt.Errorf("publisher: %w", err)
	}
	if body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		out.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(out)
	if err != nil {
		return Page{}, c.unanswered(err, request{})
	}
	text, err := read(response, most)
	if err != nil {
		return Page{}, c.unanswered(err, request{})
	}
	return Page{response.StatusCode, response.Header, text}, nil
}
