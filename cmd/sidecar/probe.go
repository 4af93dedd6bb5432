package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar"
)

// maxProbeBody is how many bytes of an answer a probe shows.
const maxProbeBody = 4096

// probes are the sub-commands that ask a running sidecar how it is, for images without a shell.
func probes() []string { return []string{"healthz", "readyz"} }

// probe is a sub-command that asks a running sidecar how it is.
type probe struct {
	path    string
	addr    string
	timeout time.Duration
}

// options returns the option table of the sub-command. It fills in p.
func (p *probe) options() *config.Set {
	synopsis := "Checks whether a running sidecar is alive. The exit code is 0 if so, 1 if not, 2 if the command line is wrong."
	if p.path == "readyz" {
		synopsis = "Checks whether a running sidecar is ready to answer. The exit code is 0 if so, 1 if not, 2 if the command line is wrong."
	}
	set := config.NewSet("sidecar "+p.path, synopsis)
	set.Address(&p.addr, "management-addr", sidecar.DefaultManagementAddr, "management address of the sidecar")
	set.Duration(&p.timeout, "probe-timeout", 2*time.Second, "longest time to wait for the answer")
	return set
}

// runProbe does the sub-command that args begin with. It does nothing if they begin with none.
func runProbe(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) (code int, done bool) {
	if len(args) == 0 || !slices.Contains(probes(), args[0]) {
		return exitOK, false
	}
	p := &probe{path: args[0]}
	set := p.options()
	action, err := set.Parse(args[1:], withoutFile(lookup))
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "sidecar %s: %v\n", p.path, err)
		return exitConfiguration, true
	case action == config.ActionHelp:
		fmt.Fprint(stdout, set.Usage())
		return exitOK, true
	case action == config.ActionPrint:
		fmt.Fprint(stdout, set.Print())
		return exitOK, true
	case action == config.ActionCheck:
		fmt.Fprintln(stdout, "the configuration is good")
		return exitOK, true
	}
	answer, err := p.ask(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "sidecar %s: %v\n", p.path, err)
		return exitFailure, true
	}
	fmt.Fprintln(stdout, answer)
	return exitOK, true
}

// withoutFile hides the configuration file of the sidecar, which has options that a probe does not know.
func withoutFile(lookup func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name == "FLAGSIDE_CONFIG" {
			return "", false
		}
		return lookup(name)
	}
}

// ask returns the answer of the sidecar, an error if it does not say yes. It speaks HTTP on a connection of its own: a client that can do
// more would make the sidecar larger.
func (p *probe) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	addr := listen.Reachable(p.addr)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/"+p.path, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Close = true
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := errors.Join(conn.SetDeadline(deadline), request.Write(conn)); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
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
