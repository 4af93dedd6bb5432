package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxAnswer bounds an answer, in bytes: a Secret has 1 MiB at most, in base64, and its metadata.
	maxAnswer       = 4 << 20
	maxAnswerHeader = 64 << 10
	idleTimeout     = 30 * time.Second
)

// Client speaks with an API server. It is safe for concurrent use. Make one with [New].
type Client struct {
	options Options
	base    *url.URL
	http    *http.Client
	watches *http.Client // without a bound on how long an answer takes
}

// New returns a client. It reads the CA certificates, and sends nothing.
func New(o Options) (*Client, error) {
	base, err := o.base()
	if err != nil {
		return nil, err
	}
	config, err := o.tls()
	if err != nil {
		return nil, err
	}
	client := http.Client{
		// No proxy: a token is for the API server alone. That is also why redirections are not followed.
		Transport:     &http.Transport{TLSClientConfig: config, MaxResponseHeaderBytes: maxAnswerHeader, IdleConnTimeout: idleTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	bounded := client
	bounded.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	return &Client{options: o, base: base, http: &bounded, watches: &client}, nil
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Secret returns a Secret. It fails with ErrNotFound if it, or its namespace, does not exist.
func (c *Client) Secret(ctx context.Context, namespace, name string) (Secret, error) {
	return c.exchange(ctx, http.MethodGet, c.path(namespace, name), Secret{Metadata: Metadata{Namespace: namespace, Name: name}})
}

// Create makes a Secret and returns it as it is stored. It fails with ErrConflict if there is one of that name, with ErrNotFound if its namespace
// does not exist. After an error without an answer it may have been made.
func (c *Client) Create(ctx context.Context, s Secret) (Secret, error) {
	return c.exchange(ctx, http.MethodPost, c.path(s.Metadata.Namespace), s)
}

// Update replaces a Secret that was read, and returns it as it is stored. It fails with ErrConflict if it has changed since. After an error
// without an answer it may have been replaced.
func (c *Client) Update(ctx context.Context, s Secret) (Secret, error) {
	if s.Metadata.ResourceVersion == "" {
		return Secret{}, fmt.Errorf("update %s: it was not read before", s) // the API server would replace whatever there is
	}
	return c.exchange(ctx, http.MethodPut, c.path(s.Metadata.Namespace, s.Metadata.Name), s)
}

// path returns the URL of the Secrets of a namespace, or of one of them.
func (c *Client) path(namespace string, name ...string) string {
	u := c.base.JoinPath("api", "v1", "namespaces", url.PathEscape(namespace), "secrets")
	for _, n := range name {
		u = u.JoinPath(url.PathEscape(n))
	}
	return u.String()
}

// exchange sends a Secret, or asks for it, and returns the one that is answered.
func (c *Client) exchange(ctx context.Context, method, at string, s Secret) (Secret, error) {
	verb := map[string]string{http.MethodGet: "read", http.MethodPost: "create", http.MethodPut: "update"}[method]
	var there Secret
	text, err := c.send(ctx, method, at, s)
	if err == nil {
		there, err = parseSecret(text, s.Metadata.Namespace, s.Metadata.Name)
	}
	if err != nil {
		return Secret{}, fmt.Errorf("%s Secret %s: %w", verb, s, err)
	}
	return there, nil
}

func (c *Client) send(ctx context.Context, method, at string, s Secret) ([]byte, error) {
	var body io.Reader
	if method != http.MethodGet {
		text, err := s.format()
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
		if c.options.DryRun {
			at += "?dryRun=All"
		}
	}
	return c.ask(ctx, method, at, "application/json", body, maxAnswer)
}

// ask sends a request, whose body may be nil, and returns the body of what is a success.
func (c *Client) ask(ctx context.Context, method, at, contentType string, body io.Reader, limit int64) ([]byte, error) {
	request, err := c.request(ctx, method, at, contentType, body)
	if err != nil {
		return nil, err
	}
	return c.answer(request, limit)
}

// request returns a request of whom the token is of. Its body may be nil.
func (c *Client) request(ctx context.Context, method, at, contentType string, body io.Reader) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return nil, errors.New("its name cannot be part of a URL")
	}
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	token, err := c.options.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "flagside")
	return request, nil
}

// answer sends a request and returns the body of what is a success.
func (c *Client) answer(request *http.Request, limit int64) ([]byte, error) {
	response, err := c.http.Do(request) // #nosec G704 -- the operator's API server
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("the answer has more than %d bytes", limit)
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated:
		return nil, parseStatus(response.StatusCode, text)
	}
	return text, nil
}
