package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
)

const (
	// maxAnswer bounds what is read of one answer, in bytes: a full part of a list of the largest documents.
	maxAnswer = 1 << 30
	// maxProblem bounds what is read of a refusal, and of pages outside of the API, in bytes.
	maxProblem = 1 << 20
)

var errTooLarge = errors.New("the answer is too large")

// answer sends a request and returns its answer, which is JSON.
func answer[T any](ctx context.Context, c *Client, r request) (value T, err error) {
	value, _, err = answerWithHeader[T](ctx, c, r)
	return value, err
}

// answerWithHeader is answer with the headers.
func answerWithHeader[T any](ctx context.Context, c *Client, r request) (value T, header http.Header, err error) {
	body, header, err := c.do(ctx, r)
	if err != nil {
		return value, nil, err
	}
	if err := json.Unmarshal(body, &value); err != nil {
		return value, nil, fmt.Errorf("the publisher at %s: %w", c.base, err)
	}
	return value, header, nil
}

// do sends a request and returns its answer.
func (c *Client) do(ctx context.Context, r request) (body []byte, header http.Header, err error) {
	out, err := r.http(ctx, c)
	if err != nil {
		return nil, nil, fmt.Errorf("publisher: %w", err)
	}
	response, err := c.http.Do(out)
	if err != nil {
		return nil, nil, c.unanswered(err, r)
	}
	if body, err = read(response, maxAnswer); err != nil {
		return nil, nil, c.unanswered(err, r)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, nil, refused(response, body, r)
	}
	return body, response.Header, nil
}

// stream sends a request whose answer is read as it comes, and closed by the caller. It takes as long as it takes; the context ends it.
func (c *Client) stream(ctx context.Context, r request) (io.ReadCloser, error) {
	out, err := r.http(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	patient := *c.http
	patient.Timeout = 0
	response, err := patient.Do(out)
	if err != nil {
		return nil, c.unanswered(err, r)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response.Body, nil
	}
	body, err := read(response, maxProblem)
	if err != nil {
		return nil, c.unanswered(err, r)
	}
	return nil, refused(response, body, r)
}

// read reads and closes the body of an answer, which has at most so many bytes.
func read(response *http.Response, most int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err = errors.Join(err, response.Body.Close()); err == nil && int64(len(body)) > most {
		err = fmt.Errorf("%w: more than %d bytes: ask for less at a time", errTooLarge, most)
	}
	return body, err
}
