package kubernetes

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// DefaultTimeout is how long one request may take unless the options say otherwise.
const DefaultTimeout = 15 * time.Second

// The files that Kubernetes mounts into each pod that may use the API.
const (
	podTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token" // #nosec G101 -- a path
	podCAFile    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// maxFile bounds the files of a token and of CA certificates, in bytes.
const maxFile = 1 << 20

// ErrOutside means that this process runs in no pod of Kubernetes.
var ErrOutside = errors.New("this does not run in a Kubernetes pod")

// Options say where the API server is.
type Options struct {
	// URL is that of the API server, such as https://10.96.0.1:443. http is for loopback only.
	URL string
	// TokenFile is the path of a file with a bearer token, which is read for each request. Empty sends none.
	TokenFile string
	// CAFile is the path of a PEM file with CA certificates for the API server; empty leaves that to the system.
	CAFile string
	// Timeout is how long one request may take; 0 means DefaultTimeout.
	Timeout time.Duration
	// Idle is how long a watch may be silent; 0 means DefaultIdle.
	Idle time.Duration
	// DryRun lets the API server check what is to be written, and write nothing.
	DryRun bool
}

// InCluster returns the options for a pod, which Kubernetes gives the address of the API server in its environment. It fails with ErrOutside
// where there is none.
func InCluster(environment func(name string) (value string, ok bool)) (Options, error) {
	host, _ := environment("KUBERNETES_SERVICE_HOST")
	port, _ := environment("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return Options{}, fmt.Errorf("%w: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set", ErrOutside)
	}
	return Options{URL: "https://" + net.JoinHostPort(host, port), TokenFile: podTokenFile, CAFile: podCAFile}, nil
}

// Validate reports what is wrong with the options, without reading a file.
func (o Options) Validate() error {
	_, err := o.base()
	return err
}

// base returns the URL below which paths are.
func (o Options) base() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the URL of the API server must be such as https://10.96.0.1:443")
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return nil, fmt.Errorf("the URL %s must begin with https://: anyone on the way could read the Secrets", o.URL)
	case o.Timeout < 0 || o.Idle < 0:
		return nil, errors.New("the time for a request cannot be negative")
	}
	return u, nil
}

func onLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// tls returns how the API server is recognised.
func (o Options) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile == "" {
		return config, nil
	}
	text, err := readFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("CA certificates for the API server: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA certificates for the API server: %s has none in PEM", o.CAFile)
	}
	return config, nil
}

// token reads the token, which Kubernetes replaces about once an hour; empty if there is none.
func (o Options) token() (string, error) {
	if o.TokenFile == "" {
		return "", nil
	}
	text, err := readFile(o.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token for the API server: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("token for the API server: %s has none", o.TokenFile)
	}
	return token, nil
}

func readFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", file, info.Size(), maxFile)
	}
	return os.ReadFile(file)
}
