package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Page is what a publisher answers outside of the API, such as at /status.
type Page struct {
	Status int
	Header http.Header
	Body   []byte
}

// Page gets what is served at a path that begins with a slash. Whatever the status of the answer is, it is no error.
func (c *Client) Page(ctx context.Context, path string) (Page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.base.String(), "/")+path, nil)
	if err != nil {
		return Page{}, fmt.Errorf("publisher: %w", err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Page{}, c.unanswered(err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return Page{}, c.unanswered(err)
	}
	return Page{response.StatusCode, response.Header, body}, nil
}
