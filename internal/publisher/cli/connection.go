package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
)

const (
	// timeout bounds a request. It is longer than the publisher takes to write a new epoch.
	timeout = 3 * time.Minute
	// maxAnswer bounds what is read of one answer, in bytes: a full part of a list of the largest documents.
	maxAnswer = 1 << 30
)

// connection is where the publisher is, and who asks it.
type connection struct {
	address string
	ca      string
	token   config.Secret
}

func (c *connection) declare(set *config.Set) {
	set.String(&c.address, "admin", "http://"+publisher.DefaultAdminAddr, "address of the publisher's API, http or https")
	set.String(&c.ca, "admin-ca", "", "PEM file with those who vouch for the publisher's certificate; without it those that the system trusts")
	set.Secret(&c.token, "token", "file with the API token; without one the publisher decides what strangers may do")
}

// open returns a client for the connection; it does not connect yet.
func (c *connection) open() (*client, error) {
	base, err := url.Parse(c.address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || strings.Trim(base.Path, "/") != "" {
		return nil, fmt.Errorf("%q is not the address of a publisher such as http://127.0.0.1:8017", c.address)
	}
	if base.Scheme == "http" && c.token.Reveal() != "" && config.LoopbackOnly(withPort(base)) != nil {
		return nil, fmt.Errorf("the token could be read on its way to %s: use https", c.address)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if c.ca != "" {
		if transport.TLSClientConfig.RootCAs, err = readAuthorities(c.ca); err != nil {
			return nil, err
		}
	}
	return &client{base: base, token: c.token, http: &http.Client{Timeout: timeout, Transport: transport}}, nil
}

// withPort returns the host and port of an address.
func withPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func readAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--admin-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--admin-ca: %s has no certificate", file)
	}
	return pool, nil
}

// client makes requests to the API.
type client struct {
	base  *url.URL
	token config.Secret
	http  *http.Client
}

// call is one request to the API. The zero method is GET.
type call struct {
	method string
	path   []string // segments below the version, not escaped
	query  url.Values
	header http.Header
	body   []byte // nil is none
	media  string // of the body; empty is JSON
}

// answer is what came of a call.
type answer struct {
	header http.Header
	body   []byte
}

// Media types of bodies.
const (
	mediaJSON       = "application/json"
	mediaMergePatch = "application/merge-patch+json"
	mediaSnapshot   = "application/octet-stream"
)

// do makes a call. Everything that changes something carries an idempotency key, so that it can be repeated when its answer is lost.
func (c *client) do(ctx context.Context, in call) (answer, error) {
	request, err := c.build(ctx, in)
	if err != nil {
		return answer{}, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, c.unanswered(request, err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return answer{}, c.unanswered(request, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return answer{}, asProblem(response, body, again(request))
	}
	return answer{response.Header, body}, nil
}

func (c *client) build(ctx context.Context, in call) (*http.Request, error) {
	segments := []string{strings.TrimRight(c.base.String(), "/"), "api", "v1"}
	for _, segment := range in.path {
		segments = append(segments, escaped(segment))
	}
	target := strings.Join(segments, "/")
	if len(in.query) > 0 {
		target += "?" + in.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, in.method, target, bytes.NewReader(in.body))
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	maps.Copy(request.Header, in.header)
	if in.body != nil {
		request.Header.Set("Content-Type", mediaJSON)
		if in.media != "" {
			request.Header.Set("Content-Type", in.media)
		}
	}
	if writes(request.Method) && request.Header.Get(headerKey) == "" {
		request.Header.Set(headerKey, rand.Text())
	}
	if token := c.token.Reveal(); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

func writes(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// escaped returns a segment of a path. Dots alone would be taken for steps in the path.
func escaped(segment string) string {
	if strings.Trim(segment, ".") == "" {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

// unanswered says what it means that no answer came.
func (c *client) unanswered(request *http.Request, err error) error {
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err // the address stands before it
	}
	dial, refused := errors.AsType[*net.OpError](err)
	if !writes(request.Method) || refused && dial.Op == "dial" {
		return &failure{exitUnavailable, fmt.Sprintf("the publisher at %s does not answer: %v", c.base, err), ""}
	}
	return &failure{exitUndecided, fmt.Sprintf("the answer of the publisher at %s is lost: %v\nit may have done what was asked: %s",
		c.base, err, again(request)), ""}
}

// again says how to repeat a change so that nothing is changed twice: with the same key, and as one who has seen the same.
func again(request *http.Request) string {
	text := "repeat it with --idempotency-key " + request.Header.Get(headerKey)
	if match := strings.Trim(request.Header.Get(headerIfMatch), `"`); match != "" {
		text += " --if-match " + match
	}
	if request.Header.Get(headerIfNoneMatch) != "" {
		text += " --create"
	}
	return text
}
