//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/cores"
	"github.com/flagside/flagside/bench/http/load"
	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/bench/snapshot"
	"github.com/flagside/flagside/internal/process"
)

// world is what all measurements of one run share: a publisher on the core of this process, and another core for the server that is measured.
type world struct {
	measure.Site

	core      cores.Core
	constant  string // the program
	publisher *process.Publisher
	profiles  string            // a directory for CPU profiles of sidecars; empty means none
	followed  map[string]bool   // environments that have their flags
	apart     map[string]string // of which there is no log, each with an address where none is served
}

// mostFollowed is how many flags an environment may have that is written flag by flag. A larger one is a snapshot on the disk of its sidecar, which looks for
// its log in vain.
const mostFollowed = 10_000

// newWorld starts a publisher whose environments follow files, once they are created, and have so many flags then. The caller closes what it returns, also
// with an error.
func newWorld(ctx context.Context, site measure.Site, core cores.Core, environments map[string]int) (*world, error) {
	w := &world{Site: site, core: core, constant: filepath.Join(site.Dir, "constant"), followed: make(map[string]bool), apart: make(map[string]string)}
	if err := process.BuildProgram(ctx, "bench/http/constant", w.constant); err != nil {
		return w, err
	}
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return w, err
	}
	options := []string{"--data-dir", filepath.Join(site.Dir, "log"), "--nats-addr", addresses[1]}
	for name, flags := range environments {
		if flags > mostFollowed {
			continue
		}
		file := filepath.Join(site.Dir, name+".json")
		if err := os.WriteFile(file, flagFile(flags), 0o600); err != nil {
			return w, err
		}
		options = append(options, "--source", name+"="+file)
	}
	w.publisher, err = w.StartPublisherWith(ctx, addresses[0], addresses[1], options...)
	return w, err
}

func (w *world) close() {
	if w.publisher != nil {
		w.publisher.Kill()
	}
}

// patience is how long a program may take to be ready, or to end in order.
const patience = 10 * time.Minute

// prepare creates an environment with flags, and the files of a sidecar that has followed it.
func (w *world) prepare(ctx context.Context, environment string, flags int) error {
	if w.followed[environment] {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	create := w.create
	if flags > mostFollowed {
		create = w.createApart
	}
	if err := create(ctx, environment, flags); err != nil {
		return err
	}
	s, err := w.startSidecar(ctx, environment)
	if err != nil {
		return err
	}
	defer s.Kill()
	if err := s.AwaitFlags(ctx, flags); err != nil {
		return fmt.Errorf("%s: %w\n%s", environment, err, w.publisher.Output())
	}
	w.followed[environment] = true
	return s.Stop(patience)
}

// create creates an environment, which follows its file then.
func (w *world) create(ctx context.Context, environment string, _ int) error {
	return w.CreateEnvironment(ctx, w.publisher.Admin, environment)
}

// createApart writes the disk of a sidecar of an environment that has no log.
func (w *world) createApart(_ context.Context, environment string, flags int) error {
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return err
	}
	w.apart[environment] = addresses[0]
	content, err := snapshot.Of(environment, flagFile(flags), w.Keys())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(w.dataDir(environment), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dataDir(environment), environment+".snapshot"), content, 0o600)
}

// nats returns where the sidecar of an environment looks for its log.
func (w *world) nats(environment string) string {
	if address := w.apart[environment]; address != "" {
		return address
	}
	return w.publisher.NATS
}

// dataDir is where sidecars of an environment keep what they know.
func (w *world) dataDir(environment string) string {
	return filepath.Join(w.Dir, "sidecar-"+environment)
}

// sidecar is a running sidecar with all that it listens on.
type sidecar struct {
	*process.Sidecar
	unix  string // path of the socket for OFREP
	flagd string // host:port
}

// startSidecar runs the sidecar of an environment as it is released, with everything on that is on by default, and waits until it is ready. It starts from
// its disk, if it ran before.
func (w *world) startSidecar(ctx context.Context, environment string) (*sidecar, error) {
	addresses, err := process.FreeAddresses(4)
	if err != nil {
		return nil, err
	}
	s := &sidecar{unix: filepath.Join(w.Dir, "ofrep.sock"), flagd: addresses[2]}
	args := []string{
		"--environment", environment, "--nats", "nats://" + w.nats(environment), "--trust-file", filepath.Join(w.Keys(), "trust"),
		"--data-dir", w.dataDir(environment), "--ofrep-addr", addresses[0], "--ofrep-addr", "unix:" + s.unix, "--management-addr", addresses[1],
		"--flagd-addr", s.flagd, "--flagd-sync-addr", addresses[3],
	}
	if w.profiles != "" {
		args = append(args, "--pprof")
	}
	err = w.core.Start(func() error {
		p, err := process.Start(w.Binaries.Sidecar, args...)
		s.Sidecar = &process.Sidecar{Process: p, OFREP: addresses[0], Management: addresses[1]}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.AwaitReady(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// target returns where the sidecar answers what a scenario asks.
func (s *sidecar) target(of *scenario) load.Target {
	switch {
	case of.Network == "unix":
		return load.Target{Network: "unix", Address: s.unix}
	case of.Protocol == overOFREP:
		return load.Target{Network: "tcp", Address: s.OFREP}
	}
	return load.Target{Network: "tcp", Address: s.flagd}
}

// startConstant runs the server that sends the answer, and nothing else, to everything. It fails unless its answer is the same in every byte.
func (w *world) startConstant(ctx context.Context, network string, answer []byte) (*process.Process, load.Target, error) {
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return nil, load.Target{}, err
	}
	t := load.Target{Network: network, Address: addresses[0]}
	if network == "unix" {
		t.Address = filepath.Join(w.Dir, "constant.sock")
		if err := os.RemoveAll(t.Address); err != nil {
			return nil, t, err
		}
	}
	file := filepath.Join(w.Dir, "answer")
	if err := os.WriteFile(file, answer, 0o600); err != nil {
		return nil, t, err
	}
	var p *process.Process
	err = w.core.Start(func() (err error) {
		p, err = process.Start(w.constant, "--network", t.Network, "--address", t.Address, "--answer", file)
		return err
	})
	if err != nil {
		return nil, t, err
	}
	if err := sameBytes(ctx, p, t, answer); err != nil {
		p.Kill()
		return nil, t, fmt.Errorf("%w\n%s", err, p.Output())
	}
	return p, t, nil
}

// sameBytes waits until the server answers, and compares its answer.
func sameBytes(ctx context.Context, p *process.Process, t load.Target, want []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var got load.Answer
	err := process.Await(ctx, "waiting for the constant server", func() bool {
		select {
		case <-p.Done():
			return true
		default:
		}
		var err error
		got, err = load.Ask(t, single(askStatic))
		return err == nil
	})
	if err != nil {
		return err
	}
	if string(got.Wire) != string(want) {
		return fmt.Errorf("the constant server does not send the same bytes:\n%.500q\nwant\n%.500q", got.Wire, want)
	}
	return nil
}
