package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/process"
)

const environment = "clients"

// system is a publisher and a sidecar, and the addresses that they keep over restarts.
type system struct {
	language  language
	binaries  process.Binaries
	dir       string
	publisher *process.Publisher
	sidecar   *process.Sidecar

	nats, admin             string
	ofrep, flagd, flagdSync string
	management              string
	socket                  string            // Unix socket of flagd's RPC
	page, foreignPage       string            // of pages in browsers; the sidecar allows the origin of the first
	tags                    map[string]string // entity tag of each flag
	changes                 int               // of the changing flag
}

func newSystem(binaries process.Binaries, dir string) (*system, error) {
	addresses, err := process.FreeAddresses(8)
	if err != nil {
		return nil, err
	}
	return &system{
		binaries: binaries,
		dir:      dir,
		nats:     addresses[0], admin: addresses[1], ofrep: addresses[2], flagd: addresses[3], flagdSync: addresses[4],
		management: addresses[5], page: addresses[6], foreignPage: addresses[7],
		socket: filepath.Join(dir, "flagd.sock"),
		tags:   make(map[string]string),
	}, nil
}

// start starts everything with the flags of the cases.
func (s *system) start(ctx context.Context) (err error) {
	s.publisher, err = s.startPublisher(ctx)
	if err != nil {
		return err
	}
	if err := s.binaries.CreateEnvironment(ctx, s.admin, environment); err != nil {
		return err
	}
	for _, f := range flags() {
		if err := s.put(ctx, f.key, f.document); err != nil {
			return err
		}
	}
	return s.startSidecar(ctx)
}

// starting is held while a publisher starts, because all have the same token, which the first one makes.
var starting sync.Mutex

func (s *system) startPublisher(ctx context.Context) (*process.Publisher, error) {
	starting.Lock()
	defer starting.Unlock()
	return s.binaries.StartPublisher(ctx, filepath.Join(s.dir, "publisher"), s.admin, s.nats)
}

// restart starts everything again with the data that is there.
func (s *system) restart(ctx context.Context) (err error) {
	s.publisher, err = s.startPublisher(ctx)
	if err != nil {
		return err
	}
	return s.startSidecar(ctx)
}

// startSidecar starts the sidecar, again after a kill.
func (s *system) startSidecar(ctx context.Context) (err error) {
	s.sidecar, err = s.binaries.StartSidecar(environment, s.nats, filepath.Join(s.dir, "sidecar"), s.ofrep, s.management,
		"--flagd-addr", s.flagd, "--flagd-addr", "unix:"+s.socket, "--flagd-sync-addr", s.flagdSync,
		"--context", "region=eu", "--context-from-header", "X-Tenant=tenant",
		"--cors-origin", "http://"+s.page, "--cors-origin", "http://"+onLocalhost(s.page))
	if err != nil {
		return err
	}
	if err := s.sidecar.AwaitReady(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, s.sidecar.Output())
	}
	return nil
}

// put writes a flag, whether or not it exists.
func (s *system) put(ctx context.Context, key, document string) error {
	tag, err := s.publisher.PutFlag(ctx, environment, key, s.tags[key], []byte(document))
	if err != nil {
		return err
	}
	s.tags[key] = tag
	return nil
}

func (s *system) stop() {
	if s.sidecar != nil {
		_ = s.sidecar.Stop(5 * time.Second) // how it ends is the subject of other tests
	}
	if s.publisher != nil {
		_ = s.publisher.Stop(5 * time.Second)
	}
}
