package admin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/control/decide"
)

// maxAnswer bounds what is read of one answer, in bytes: a full part of a list of the largest documents.
const maxAnswer = 1 << 30

// Call is one request to the API, for which [Client] may have a method of its own or not.
type Call struct {
	// Method is that of HTTP; empty is GET.
	Method string
	// Path has the segments below the version, not escaped.
	Path  []string
	Query url.Values
	// Body is what is sent; nil is nothing. Media is its type; empty is JSON.
	Body  []byte
	Media string
	// IfMatch is the revision that the document must have, as <epoch8>-<revision>; empty asks for none.
	IfMatch string
	// IfAbsent asks that the document does not exist.
	IfAbsent bool
	// Reason stays in the log.
	Reason string
	// Key makes the call safe to repeat within a day; empty is none.
	Key string
	// BreakGlass asks to go without approvals.
	BreakGlass bool
}

// Answer is what came of a [Call].
type Answer struct {
	Header http.Header
	Body   []byte
}

// Unanswered is the error of a call whose answer never came.
type Unanswered struct {
	// Address is that of the publisher.
	Address string
	// Sent tells that the publisher may have got the call, and done what it asks for.
	Sent  bool
	cause error
}

// Error says what happened to the connection.
func (u *Unanswered) Error() string {
	return fmt.Sprintf("the publisher at %s does not answer: %v", u.Address, u.cause)
}

// Unwrap returns what happened to the connection.
func (u *Unanswered) Unwrap() error { return u.cause }

// Writes reports whether the call asks to change something, and not only what would change or who may do what.
func (c Call) Writes() bool {
	onlyAsks := len(c.Path) == 3 && c.Path[2] == "preview" || c.Path[0] == "policy" || c.Query.Get("dryRun") == "true"
	return c.Method != "" && c.Method != http.MethodGet && !onlyAsks
}

// seen adds what the author of a change knows of the document.
func (c Call) seen(p decide.Precondition) Call {
	c.IfAbsent = p.Absent
	if p.Match.Revision != 0 {
		c.IfMatch = p.Match.String()
	}
	return c
}

// Do makes a call.
func (c *Client) Do(ctx context.Context, in Call) (Answer, error) {
	request, err := c.request(ctx, in)
	if err != nil {
		return Answer{}, fmt.Errorf("publisher: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, c.unanswered(err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return Answer{}, c.unanswered(err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return Answer{}, asProblem(response, body)
	}
	return Answer{response.Header, body}, nil
}

// Stream makes a call whose answer is read as it comes, and closed by the caller.
func (c *Client) Stream(ctx context.Context, in Call) (io.ReadCloser, error) {
	request, err := c.request(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	patient := *c.http
	patient.Timeout = 0 // it takes as long as it takes; ctx ends it
	response, err := patient.Do(request)
	if err != nil {
		return nil, c.unanswered(err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response.Body, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, c.unanswered(err)
	}
	return nil, asProblem(response, body)
}

// unanswered takes apart what the HTTP client reports.
func (c *Client) unanswered(err error) error {
	if around, ok := errors.AsType[*url.Error](err); ok {
		err = around.Err // the address is said anyway
	}
	op, ok := errors.AsType[*net.OpError](err)
	return &Unanswered{Address: c.base.String(), Sent: !ok || op.Op != "dial", cause: err}
}

func (c *Client) request(ctx context.Context, in Call) (*http.Request, error) {
	segments := []string{strings.TrimRight(c.base.String(), "/"), "api", "v1"}
	for _, segment := range in.Path {
		segments = append(segments, escaped(segment))
	}
	target := strings.Join(segments, "/")
	if len(in.Query) > 0 {
		target += "?" + in.Query.Encode()
	}
	out, err := http.NewRequestWithContext(ctx, in.Method, target, bytes.NewReader(in.Body))
	if err != nil {
		return nil, err
	}
	set := func(name, value string) {
		if value != "" {
			out.Header.Set(name, value)
		}
	}
	if c.token != "" {
		set("Authorization", "Bearer "+c.token)
	}
	if in.Body != nil {
		set("Content-Type", cmp.Or(in.Media, "application/json"))
	}
	if in.IfMatch != "" {
		set("If-Match", strconv.Quote(in.IfMatch))
	}
	if in.IfAbsent {
		set("If-None-Match", "*")
	}
	if in.BreakGlass {
		set("Flagside-Break-Glass", "true")
	}
	set("Flagside-Reason", in.Reason)
	set("Idempotency-Key", in.Key)
	return out, nil
}

// escaped returns a segment of a path. Dots alone would be taken for steps in the path.
func escaped(segment string) string {
	if strings.Trim(segment, ".") == "" {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

func asProblem(response *http.Response, body []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Status == 0 {
		return fmt.Errorf("%s is no publisher: it answers %s", response.Request.URL.Host, response.Status)
	}
	p.headers = response.Header
	return p
}

// do makes a call and decodes its answer, which is JSON, into out.
func (c *Client) do(ctx context.Context, in Call, out any) (http.Header, error) {
	answer, err := c.Do(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return nil, fmt.Errorf("the publisher at %s: %w", c.base, err)
	}
	return answer.Header, nil
}

// send is do with a body of JSON.
func (c *Client) send(ctx context.Context, in Call, body, out any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	in.Body = data
	_, err = c.do(ctx, in, out)
	return err
}
