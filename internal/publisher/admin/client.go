package admin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
)

// clientTimeout bounds a request. It is longer than the publisher takes to write a new epoch.
const clientTimeout = 3 * time.Minute

// idleConnection is how long a connection is kept for the next request.
const idleConnection = time.Minute

// maxAnswer bounds what a client reads of one answer, in bytes: a full part of a list of the largest documents.
const maxAnswer = 1 << 30

// Client asks a publisher. Errors of the publisher are a *Problem.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// ClientOptions say which publisher to ask, and as whom.
type ClientOptions struct {
	// Address is such as https://flags.example:8017 or http://127.0.0.1:8017. Without TLS it must be on loopback if there is a token.
	Address string
	// Token is an API token or a JSON Web Token; empty means that only what anybody may see can be asked for.
	Token string
	// CAFile is the path of a PEM file with those who vouch for the publisher; empty leaves it to the system.
	CAFile string
}

// NewClient returns a client.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(o.Address)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || strings.Trim(base.Path, "/") != "" {
		return nil, fmt.Errorf("%q is not the address of a publisher such as http://127.0.0.1:8017", o.Address)
	}
	if base.Scheme == "http" && o.Token != "" && !loopbackHost(base.Host) {
		return nil, fmt.Errorf("the token could be read on its way to %s: use https", o.Address)
	}
	transport, err := clientTransport(o.CAFile)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, token: o.Token, http: &http.Client{Timeout: clientTimeout, Transport: transport}}, nil
}

func clientTransport(caFile string) (*http.Transport, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: idleConnection,
	}
	if caFile == "" {
		return transport, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("those who vouch for the publisher: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("those who vouch for the publisher: %s has no certificate", caFile)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// Environments returns all environments, archived ones too, by name.
func (c *Client) Environments(ctx context.Context) ([]Environment, error) {
	var list struct {
		Items []Environment `json:"items"`
	}
	_, err := c.do(ctx, request{method: http.MethodGet, path: []string{"environments"}}, &list)
	return list.Items, err
}

// CreateEnvironment creates an environment. The compatibility is "flagd", or empty for that of the publisher.
func (c *Client) CreateEnvironment(ctx context.Context, name, compatibility string) (Environment, error) {
	var e Environment
	body, err := json.Marshal(newEnvironment{Name: name, Compatibility: compatibility})
	if err != nil {
		return e, fmt.Errorf("create environment: %w", err)
	}
	_, err = c.do(ctx, request{method: http.MethodPost, path: []string{"environments"}, body: body}, &e)
	return e, err
}

// ArchiveEnvironment takes an environment out of use.
func (c *Client) ArchiveEnvironment(ctx context.Context, name string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, request{method: http.MethodPost, path: []string{"environments", name, "archive"}}, &e)
	return e, err
}

// ArchiveEnvironmentAnyway takes an environment out of use without the consent that policies want, for a reason.
func (c *Client) ArchiveEnvironmentAnyway(ctx context.Context, name, reason string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, request{
		method: http.MethodPost, path: []string{"environments", name, "archive"}, reason: reason, breakGlass: true,
	}, &e)
	return e, err
}

// RecreateEnvironment writes what the publisher knows of an environment as a new epoch.
func (c *Client) RecreateEnvironment(ctx context.Context, name string) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, request{method: http.MethodPost, path: []string{"environments", name, "recreate"}}, &e)
	return e, err
}

// RestoreEnvironment writes a snapshot as a new epoch of an environment.
func (c *Client) RestoreEnvironment(ctx context.Context, name string, snapshot []byte) (Environment, error) {
	var e Environment
	_, err := c.do(ctx, request{
		method: http.MethodPost, path: []string{"environments", name, "restore"}, body: snapshot, media: snapshotMedia,
	}, &e)
	return e, err
}

// Operation asks what became of a change.
func (c *Client) Operation(ctx context.Context, environment, op string) (Operation, error) {
	var o Operation
	_, err := c.do(ctx, request{method: http.MethodGet, path: []string{"environments", environment, "operations", op}}, &o)
	return o, err
}

// Document reads a document for editing. The precondition is the one for changing it.
func (c *Client) Document(ctx context.Context, environment string, id changelog.ID) ([]byte, control.Precondition, error) {
	var body []byte
	header, err := c.do(ctx, request{method: http.MethodGet, path: documentPathOf(environment, id)}, &body)
	if err != nil {
		return nil, control.Precondition{}, err
	}
	condition, err := WriteHeaders{IfMatch: header.Get("ETag")}.precondition()
	return body, condition, err
}

// Put creates or replaces a document. It returns the precondition for changing it again.
func (c *Client) Put(
	ctx context.Context, environment string, id changelog.ID, body []byte, seen control.Precondition, reason string,
) (Written, control.Precondition, error) {
	var w Written
	header, err := c.do(ctx, request{
		method: http.MethodPut, path: documentPathOf(environment, id), body: body, seen: seen, reason: reason,
	}, &w)
	if err != nil {
		return w, control.Precondition{}, err
	}
	condition, err := WriteHeaders{IfMatch: header.Get("ETag")}.precondition()
	return w, condition, err
}

// Delete deletes a document.
func (c *Client) Delete(
	ctx context.Context, environment string, id changelog.ID, seen control.Precondition, reason string,
) (Written, error) {
	var w Written
	_, err := c.do(ctx, request{method: http.MethodDelete, path: documentPathOf(environment, id), seen: seen, reason: reason}, &w)
	return w, err
}

// History returns the newest changes of a flag or segment, at most 100, newest first.
func (c *Client) History(ctx context.Context, environment string, id changelog.ID) (History, error) {
	var h History
	_, err := c.do(ctx, request{method: http.MethodGet, path: append(documentPathOf(environment, id), "history")}, &h)
	return h, err
}

// documentPathOf returns the segments of the path of a document, below the version.
func documentPathOf(environment string, id changelog.ID) []string {
	switch id.Kind {
	case changelog.KindSettings:
		return []string{"environments", environment, "settings"}
	case changelog.KindSegment:
		return []string{"environments", environment, "segments", id.Key}
	default:
		return []string{"environments", environment, "flags", id.Key}
	}
}

// request is one request to the API.
type request struct {
	method string
	path   []string // segments, not escaped
	body   []byte
	media  string // of the body; empty is JSON
	seen   control.Precondition
	reason string
	key    string // for idempotency
	query  url.Values

	breakGlass bool
}

func (r request) build(ctx context.Context, base *url.URL) (*http.Request, error) {
	segments := []string{strings.TrimRight(base.String(), "/"), "api", "v1"}
	for _, segment := range r.path {
		segments = append(segments, escaped(segment))
	}
	target := strings.Join(segments, "/")
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	out, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		out.Header.Set("Content-Type", cmp.Or(r.media, "application/json"))
	}
	if r.seen.Absent {
		out.Header.Set("If-None-Match", "*")
	}
	if r.seen.Match.Revision != 0 {
		out.Header.Set("If-Match", etag(r.seen.Match))
	}
	if r.reason != "" {
		out.Header.Set("Flagside-Reason", r.reason)
	}
	if r.key != "" {
		out.Header.Set("Idempotency-Key", r.key)
	}
	if r.breakGlass {
		out.Header.Set("Flagside-Break-Glass", "true")
	}
	return out, nil
}

// escaped returns a segment of a path. Dots alone would be taken for steps in the path.
func escaped(segment string) string {
	if strings.Trim(segment, ".") == "" {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

// do makes a request and decodes the answer into out, a pointer to a struct or to the bytes themselves.
func (c *Client) do(ctx context.Context, r request, out any) (http.Header, error) {
	in, err := r.build(ctx, c.base)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	if c.token != "" {
		in.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(in)
	if err != nil {
		return nil, fmt.Errorf("the publisher at %s does not answer: %w", c.base, err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, fmt.Errorf("the publisher at %s: %w", c.base, err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return nil, asProblem(answer, body)
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = body
		return answer.Header, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return nil, fmt.Errorf("the publisher at %s: %w", c.base, err)
	}
	return answer.Header, nil
}

func asProblem(answer *http.Response, body []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Status == 0 {
		return fmt.Errorf("%s is no publisher: it answers %s", answer.Request.URL.Host, answer.Status)
	}
	p.headers = answer.Header
	return p
}
