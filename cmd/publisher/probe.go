package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher"
)

// maxProbeBody is how many bytes of an answer a probe shows.
const maxProbeBody = 4096

// probe asks the publisher of this machine how it is, for images without a shell and for meshes that let no probe of another kind in.
type probe struct {
	path, addr, certificate string
	timeout                 time.Duration
}

// probeCommands returns healthz and readyz.
func probeCommands() []commandline.Command {
	return []commandline.Command{
		{
			Words: []string{"healthz"}, Short: "ask a running publisher whether it lives",
			New:      func() commandline.Invocation { return probeCommand("healthz", "lives") },
			Examples: []string{"healthz", "healthz --admin-addr :8017 --admin-cert api.pem"},
		},
		{
			Words: []string{"readyz"}, Short: "ask a running publisher whether all environments can be read",
			New:      func() commandline.Invocation { return probeCommand("readyz", "is ready") },
			Examples: []string{"readyz", "readyz --admin-addr :8017 --admin-cert api.pem"},
		},
	}
}

func probeCommand(path, question string) commandline.Invocation {
	p := &probe{path: path}
	set := config.NewSet("publisher "+path, "Asks a running publisher whether it "+question+". Exit code 0 says yes, 1 no, 2 that the question makes no sense.")
	set.Address(&p.addr, "admin-addr", publisher.DefaultAdminAddr, "address of the API of the publisher, as publisher serve has it")
	set.File(&p.certificate, "admin-cert", "", "PEM file with the certificate of the API, as publisher serve has it; without it the API is asked without TLS")
	set.Duration(&p.timeout, "probe-timeout", 2*time.Second, "how long the answer may take")
	return commandline.Invocation{
		Set: set,
		Run: func(ctx context.Context, t commandline.Terminal) error {
			answer, err := p.ask(ctx)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(t.Stdout, answer)
			return err
		},
	}
}

// ask returns the answer of the publisher, an error if it does not say yes.
func (p *probe) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if p.certificate != "" {
		trusted, err := trusting(p.certificate)
		if err != nil {
			return "", err
		}
		scheme, transport.TLSClientConfig = "https", trusted
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+listen.Reachable(p.addr)+"/"+p.path, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProbeBody))
	if err != nil {
		return "", err
	}
	answer := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, nil
}

// trusting trusts exactly the certificate in a file, whatever names it has: the publisher is asked by its address, which is in few certificates.
func trusting(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no PEM certificate: name the publisher's certificate file", file)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection looks at the certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("the server has no certificate")
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots})
			return err
		},
	}, nil
}
