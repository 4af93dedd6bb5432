package access

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// issuerPause is the least time between two requests for the same thing. Tokens with made-up key ids must not make a publisher ask an
	// issuer more often.
	issuerPause = time.Second
	// maxIssuerBytes bounds what an issuer may answer.
	maxIssuerBytes = 1 << 20
	// maxTokenFileBytes bounds the file with a token for requests to the issuer.
	maxTokenFileBytes = 64 << 10
)

// unreachableError tells that an issuer did not answer as it should.
type unreachableError struct{ cause error }

func (e *unreachableError) Error() string { return "it cannot be reached: " + e.cause.Error() }

func (e *unreachableError) Unwrap() error { return e.cause }

// errAskedAlready means that the issuer was asked for the same a moment ago, and has answered.
var errAskedAlready = errors.New("it was asked less than a second ago")

// transport asks an issuer, not too often.
type transport struct {
	base      *http.Transport
	tokenFile string

	mu    sync.Mutex
	asked map[string]attempt // by URL
}

// attempt is the last request for a URL.
type attempt struct {
	at  time.Time
	err error
}

func newTransport(i Issuer) (*transport, error) {
	base := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: issuerTimeout,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if i.CAFile != "" {
		roots, err := readRoots(i.CAFile)
		if err != nil {
			return nil, err
		}
		base.TLSClientConfig.RootCAs = roots
	}
	return &transport{base: base, tokenFile: i.TokenFile, asked: make(map[string]attempt)}, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	text, err := readBounded(file, maxIssuerBytes)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no PEM certificate: name a file with CA certificates", file)
	}
	return roots, nil
}

// RoundTrip implements http.RoundTripper. Answers that are no success are errors.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	at := r.URL.String()
	if err := t.begin(at); err != nil {
		return nil, err
	}
	response, err := t.ask(r)
	if err != nil {
		err = &unreachableError{err}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked[at] = attempt{time.Now(), err}
	return response, err
}

// begin notes that a URL is asked for, or says why it must not be.
func (t *transport) begin(at string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, before := t.asked[at]
	if before && time.Since(last.at) < issuerPause {
		if last.err != nil {
			return last.err
		}
		return errAskedAlready
	}
	t.asked[at] = attempt{at: time.Now()}
	return nil
}

// ask sends the request and reads the whole answer.
func (t *transport) ask(r *http.Request) (*http.Response, error) {
	if t.tokenFile != "" {
		token, err := readBounded(t.tokenFile, maxTokenFileBytes)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", r.URL.Redacted(), response.Status)
	}
	body, err := readAtMost(response.Body, maxIssuerBytes)
	if err != nil {
		return nil, err
	}
	if len(body) > maxIssuerBytes {
		return nil, fmt.Errorf("%s answers with more than %d bytes", r.URL.Redacted(), maxIssuerBytes)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}
