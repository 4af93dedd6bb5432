// Package dev is a publisher and a sidecar in one process, for one file on the developer's machine: what the file says is what the
// environment is, as soon as the file is saved.
//
// # Concurrency properties
//
// The addresses of a Dev may be asked for at any time; Run may be called only once.
package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/internal/ending"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/console"
	"github.com/flagside/flagside/internal/publisher/source/watch"
	"github.com/flagside/flagside/internal/sidecar"
)

// Dev is a publisher and a sidecar that serve one file. Create it with New.
type Dev struct {
	options   Options
	temporary string // directory to remove at the end; empty if there is none
	forget    func() // that the temporary directory is to be removed
	health    *health.Tracker
	token     string      // of the API, for as long as it runs
	waiting   atomic.Bool // for a file that is good for the first time
	publisher *publisher.Publisher
	sidecar   *sidecar.Sidecar
}

// New validates the options and opens all listeners but that of NATS. It starts nothing; Close undoes it.
func New(o Options) (_ *Dev, err error) {
	o, err = o.complete()
	if err != nil {
		return nil, err
	}
	d := &Dev{options: o, health: health.NewTracker(time.Now), token: access.NewSecret()}
	d.waiting.Store(true)
	if o.DataDir == "" {
		if d.temporary, err = os.MkdirTemp("", "flagside-dev-"); err != nil {
			return nil, fmt.Errorf("dev: %w", err)
		}
		d.forget = ending.AtOnce(func() { removeUsed(d.temporary) })
		d.options.DataDir = d.temporary
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.publisher, err = publisher.New(d.publisherOptions()); err != nil {
		return nil, err
	}
	d.sidecar, err = sidecar.New(d.sidecarOptions())
	return d, err
}

func (d *Dev) publisherOptions() publisher.Options {
	return publisher.Options{
		DataDir:   d.options.DataDir,
		NATSAddr:  d.options.NATSAddr,
		AdminAddr: d.options.AdminAddr, Hosts: d.options.Sidecar.Hosts,
		// Anyone on the developer's machine may look.
		AnonymousReads: true, OwnMachine: true,
		ConsolePages: console.Handler(),
		FixedTokens: []access.FixedToken{{Secret: d.token, Principal: access.Principal{
			ID: "dev", Name: "developer", Kind: access.KindDev, Groups: []string{access.RoleAdmin},
		}}},
		ReadOnly: map[string]string{
			d.options.Environment: fmt.Sprintf("The environment is what the file %s says: change it there.", d.options.File),
		},
		GatherReports:     time.Second, // of one sidecar, which reports once it is connected
		MaxEvaluationWork: d.options.Sidecar.MaxEvaluationWork,

		Health: d.health,
		Logger: d.options.Logger,
	}
}

func (d *Dev) sidecarOptions() sidecar.Options {
	o := d.options.Sidecar
	o.Server, o.Trust, o.Logger = d.publisher, d.publisher.Trust(), d.options.Logger
	o.Awaited = d.waiting.Load
	o.ExposureKey = exposurekey.New() // so that experiments can be tried; the subjects of another run are others
	return o
}

// Close undoes New for a Dev that was never run. It is not needed after Run.
func (d *Dev) Close() error {
	var errs []error
	if d.publisher != nil {
		errs = append(errs, d.publisher.Close())
	}
	if d.sidecar != nil {
		errs = append(errs, d.sidecar.Close())
	}
	return errors.Join(append(errs, d.removeTemporary())...)
}

func (d *Dev) removeTemporary() error {
	if d.temporary == "" {
		return nil
	}
	if err := os.RemoveAll(d.temporary); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	d.forget()
	return nil
}

// maxRemovals is how often the removal of a directory is tried in which files may still be made.
const maxRemovals = 100

// removeUsed removes a directory that is still in use.
func removeUsed(dir string) {
	for range maxRemovals {
		if os.RemoveAll(dir) == nil {
			return
		}
	}
}

// AdminAddr returns the address of the publisher's API.
func (d *Dev) AdminAddr() net.Addr { return d.publisher.AdminAddr() }

// OFREPAddr returns the address that evaluations are answered on.
func (d *Dev) OFREPAddr() net.Addr { return d.sidecar.OFREPAddr() }

// ManagementAddr returns the address of the sidecar's management server.
func (d *Dev) ManagementAddr() net.Addr { return d.sidecar.ManagementAddr() }

// Run serves the file and watches it until ctx ends. It returns when every goroutine that it started is gone; nil if ctx ended it.
func (d *Dev) Run(ctx context.Context) error {
	parts, ctx := lifecycle.New(ctx)
	err := d.start(ctx, parts)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, parts.Stop(), d.removeTemporary())
}

// start starts the parts from the bottom up.
func (d *Dev) start(ctx context.Context, parts *lifecycle.Group) error {
	watcher, err := watch.New(d.options.File)
	if err != nil {
		return errors.Join(err, d.publisher.Close(), d.sidecar.Close())
	}
	parts.Start(lifecycle.Part{Name: "dev", Run: d.publisher.Run})
	if err := d.publisher.Ready(ctx); err != nil {
		return errors.Join(watcher.Close(), d.sidecar.Close())
	}
	loader := &loader{dev: d}
	// The file is loaded before the sidecar looks, so that a ready sidecar has its flags.
	again := loader.load(ctx)
	parts.Start(lifecycle.Part{Name: "dev: sidecar", Run: d.sidecar.Run})
	if err := d.greet(ctx, loader); err != nil {
		return errors.Join(err, watcher.Close())
	}
	parts.Start(lifecycle.Part{Name: "dev: file", Run: func(ctx context.Context) error {
		return watcher.Run(ctx, again, loader.lost, loader.load)
	}})
	return nil
}
