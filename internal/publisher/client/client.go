package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/origin"
)

const (
	// timeout bounds a call. It is longer than the publisher takes to write a new epoch.
	timeout = 3 * time.Minute
	// idleConnection is how long a connection is kept for the next call.
	idleConnection = time.Minute
)

// Client asks a publisher. Create it with New.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// Options say which publisher to ask, and as whom.
type Options struct {
	// Address is such as https://flags.example:8017 or http://127.0.0.1:8017. Without TLS it must be on loopback if there is a token.
	Address string
	// Token is an API token or a JSON Web Token; empty is anonymous.
	Token string
	// CAFile is the path of a PEM file with CA certificates for the publisher; empty means those of the system.
	CAFile string
}

// New returns a client. It connects with the first call.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Address)
	if err != nil {
		return nil, errors.New("that is not the address of a publisher such as http://127.0.0.1:8017")
	}
	if !isAddress(base) {
		return nil, fmt.Errorf("%q is not the address of a publisher such as http://127.0.0.1:8017", base.Redacted())
	}
	if base.Scheme == "http" && o.Token != "" && !origin.IsLoopback(base.Host) {
		return nil, fmt.Errorf("%s is not encrypted, so the token could be read on the way: use https", o.Address)
	}
	transport, err := newTransport(o.CAFile)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, token: o.Token, http: &http.Client{Timeout: timeout, Transport: transport, CheckRedirect: noRedirect}}, nil
}

func isAddress(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.Trim(u.Path, "/") == "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// noRedirect lets a redirection be the answer. A publisher makes none; followed, it would hand the token to another server, or make a change a
// mere read.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func newTransport(caFile string) (*http.Transport, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: idleConnection,
	}
	if caFile == "" {
		return transport, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA certificates: %s has no PEM certificate: name another file", caFile)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}
