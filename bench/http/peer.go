//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/flagside/flagside/bench/cores"
	"github.com/flagside/flagside/bench/http/load"
	"github.com/flagside/flagside/internal/process"
)

// peer is a server of OFREP that runs already.
type peer struct {
	name   string
	target load.Target
	pid    int
}

// peers are the values of --peer and --pid, each pair in the order in which they were given.
type peers struct {
	servers []string
	pids    []string
}

// parse returns the peers. It is an error when not each has the number of its process.
func (p peers) parse() ([]peer, error) {
	if len(p.servers) != len(p.pids) {
		return nil, fmt.Errorf("%d times --peer and %d times --pid: give each peer the number of its process", len(p.servers), len(p.pids))
	}
	var all []peer
	for i, text := range p.servers {
		name, address, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--peer %s: write name=URL, such as flagd=http://127.0.0.1:8016", text)
		}
		if slices.Contains([]string{nameLimit, nameSidecar}, name) || slices.Contains(namesOfPeers(all), name) {
			return nil, fmt.Errorf("--peer %s: the name %s is taken", text, name)
		}
		target, err := parseTarget(address)
		if err != nil {
			return nil, fmt.Errorf("--peer %s: %w", text, err)
		}
		pid, err := strconv.Atoi(p.pids[i])
		if err != nil || pid <= 0 {
			return nil, fmt.Errorf("--pid %s: not the number of a process", p.pids[i])
		}
		if _, err := process.UsedCPU(pid); err != nil {
			return nil, fmt.Errorf("--pid %d: %w", pid, err)
		}
		all = append(all, peer{name, target, pid})
	}
	return all, nil
}

// parseTarget reads http://host:port or unix:path.
func parseTarget(text string) (load.Target, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return load.Target{Network: "unix", Address: path}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return load.Target{}, err
	case u.Scheme != "http" || u.Port() == "" || strings.Trim(u.Path, "/") != "":
		return load.Target{}, errors.New("write http://host:port or unix:path")
	}
	return load.Target{Network: "tcp", Address: u.Host}, nil
}

func namesOfPeers(all []peer) []string {
	var names []string
	for _, p := range all {
		names = append(names, p.name)
	}
	return names
}

// answers reports whether the scenario is for the peer: an evaluation over OFREP, and over the network on which the peer listens.
func (p peer) answers(s *scenario) bool {
	return s.Protocol == overOFREP && s.Ask != askStream && s.Changes == 0 && s.Network == p.target.Network
}

// check asks the peer everything that it will be asked, so that what it does not have is said before anything is measured.
func (p peer) check(scenarios []scenario) error {
	checked := 0
	for _, s := range scenarios {
		if !p.answers(&s) {
			continue
		}
		checked++
		if err := p.try(s); err != nil {
			return fmt.Errorf("peer %s, scenario %s: %w; it must have the flags that --flag-file %d writes", p.name, s.Name, err, s.Flags)
		}
	}
	if checked == 0 {
		return fmt.Errorf("peer %s: none of the scenarios is OFREP over %s", p.name, p.target.Network)
	}
	return nil
}

// try asks the peer everything of one scenario.
func (p peer) try(s scenario) error {
	requests, err := s.requests("")
	if err != nil {
		return err
	}
	with, err := p.requests(&asked{scenario: s, requests: requests})
	if err != nil {
		return err
	}
	_, err = with.tryAll(p.target)
	return err
}

// requests returns the scenario with the requests for the peer, whose ETag is another one.
func (p peer) requests(a *asked) (*asked, error) {
	if a.Ask != askBulkKnown {
		return a, nil
	}
	first := a.scenario
	first.Ask = askBulk
	requests, err := first.requests("")
	if err != nil {
		return nil, err
	}
	answer, err := load.Ask(p.target, requests[0])
	if err != nil {
		return nil, err
	}
	etag := answer.Header.Get("ETag")
	if etag == "" {
		return nil, errors.New("it gives no ETag")
	}
	other := *a
	other.requests, err = a.scenario.requests(etag)
	return &other, err
}

// visit measures the peer.
func (p peer) visit(ctx context.Context, a *asked, much amount, rate float64) (sample, error) {
	a, err := p.requests(a)
	if err != nil {
		return sample{}, err
	}
	return drive(ctx, a.plan(p.target), p.pid, much, rate)
}

// warn says when a peer has more than the core for servers.
func warn(out io.Writer, all []peer, core cores.Core) {
	for _, p := range all {
		if alone, err := core.Has(p.pid); err == nil && !alone {
			_, _ = fmt.Fprintf(out, "peer %s does not run on core %d alone, as the others do: start it with \"taskset -c %d\", so that it also chooses its threads for one core\n", p.name, core, core)
		}
	}
}
