package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// listInterval is how often environments of other publishers are looked for.
	listInterval = 2 * time.Second
	// listTimeout bounds one look.
	listTimeout = 10 * time.Second
)

// errNotListed means that the environments are not known yet.
var errNotListed = fmt.Errorf("the environments were not read yet: %w", control.ErrNotReady)

// environments runs every environment that is in use. Other publishers may create and archive environments too, so the list is read
// again and again.
type environments struct {
	options Options
	metrics *metrics
	gate    *gate              // answers what is permitted
	refresh chan chan error    // asks run to read the list now
	mended  func()             // is told that a stream was repaired
	server  *natsserver.Server // nil when the NATS server is elsewhere

	mu       sync.Mutex                 // guards what follows
	conn     *flagsync.Conn             // nil before run
	controls map[*flagsync.Journal]bool // journals of CONTROL besides that of list
	list     *flagsync.Environments     // nil until it was opened
	listed   bool
	err      error // of the last look
	running  map[string]*environment
	known    map[string]flagsync.Environment
}

func newEnvironments(o Options, g *gate) *environments {
	return &environments{
		options:  o,
		gate:     g,
		refresh:  make(chan chan error),
		mended:   func() {},
		running:  make(map[string]*environment),
		controls: make(map[*flagsync.Journal]bool),
		known:    make(map[string]flagsync.Environment),
	}
}

// run follows the environments until ctx ends, and returns when all are at rest.
func (e *environments) run(ctx context.Context, conn *flagsync.Conn) error {
	e.connected(conn)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		var asked chan error
		select {
		case <-ctx.Done():
			return nil
		case asked = <-e.refresh:
		case <-look.C:
		}
		err := e.look(ctx, conn, &wg)
		e.note(ctx, err)
		if asked != nil {
			asked <- err
		}
		look.Reset(listInterval)
	}
}

func (e *environments) connected(conn *flagsync.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conn = conn
}

// connection returns the connection to NATS, nil before there is one.
func (e *environments) connection() *flagsync.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conn
}

// look reads the list, starts what is new and stops what was archived.
func (e *environments) look(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup) error {
	within, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := e.open(within, conn)
	if err != nil {
		return err
	}
	all, err := list.List(within)
	if err != nil {
		return err
	}
	e.expect(list)
	var errs []error
	for _, listed := range all {
		errs = append(errs, e.reconcile(ctx, conn, wg, listed))
	}
	return errors.Join(errs...)
}

// expect tells every journal of CONTROL how far it went, by what publishers signed in the logs.
func (e *environments) expect(list *flagsync.Environments) {
	e.mu.Lock()
	journals := append([]*flagsync.Journal{list.Journal()}, slices.Collect(maps.Keys(e.controls))...)
	e.mu.Unlock()
	for _, running := range e.all() {
		at := running.follower.Status().Control
		for _, j := range journals {
			j.Expect(at)
		}
	}
}

// openControl opens another journal of CONTROL, which is told how far CONTROL went until it is released.
func (e *environments) openControl(ctx context.Context, conn *flagsync.Conn) (j *flagsync.Journal, release func(), err error) {
	if j, err = flagsync.OpenJournal(ctx, conn, flagsync.Control(), e.options.Replicas); err != nil {
		return nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.controls[j] = true
	return j, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.controls, j)
	}, nil
}

func (e *environments) open(ctx context.Context, conn *flagsync.Conn) (*flagsync.Environments, error) {
	e.mu.Lock()
	list := e.list
	e.mu.Unlock()
	if list != nil {
		return list, nil
	}
	list, err := flagsync.OpenEnvironments(ctx, conn, e.options.Replicas)
	if err != nil {
		return nil, err
	}
	// One with other settings is a condition, and nothing here needs it.
	if _, err := flagsync.OpenPeople(ctx, conn, e.options.Replicas); err != nil && !errors.Is(err, flagsync.ErrStreamMismatch) {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = list
	return list, nil
}

// reconcile starts or stops what runs for one environment.
func (e *environments) reconcile(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup, listed flagsync.Environment) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[listed.Name] = listed
	running, runs := e.running[listed.Name]
	switch {
	case !listed.Archived.IsZero() && runs:
		running.cancel()
		delete(e.running, listed.Name)
	case listed.Archived.IsZero() && !runs:
		if err := e.allow(listed.Name); err != nil {
			return fmt.Errorf("environment %q: %w", listed.Name, err)
		}
		started, err := newEnvironment(listed.Name, e.options, conn, e.gate, e.metrics.appended(listed.Name))
		if err != nil {
			return fmt.Errorf("environment %q: %w", listed.Name, err)
		}
		own, cancel := context.WithCancel(ctx)
		started.cancel, started.controlHead = cancel, e.list.Journal().Head
		e.running[listed.Name] = started
		wg.Go(func() {
			if err := started.run(own); err != nil {
				started.logger.Error().Err(err).Msg("the environment is no longer followed")
			}
		})
	}
	return nil
}

// note keeps what became of a look, and logs when that changes.
func (e *environments) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	first := !e.listed && err == nil
	if err != nil && (e.err == nil || e.err.Error() != err.Error()) {
		e.options.Logger.Warn().Err(err).Msg("the list of environments could not be read")
	}
	if err == nil && e.err != nil {
		e.options.Logger.Info().Msg("the list of environments is read again")
	}
	if first && len(e.running) == 0 && len(e.options.ReadOnly) == 0 { // what makes one read-only also creates it
		e.options.Logger.Info().Msg("there is no environment yet: create one with \"publisher environment create NAME\"")
	}
	e.err, e.listed = err, e.listed || err == nil
}

// List returns all environments, archived ones too, by name.
func (e *environments) List(context.Context) ([]flagsync.Environment, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.listed {
		return nil, e.notListed()
	}
	var all []flagsync.Environment
	for _, name := range slices.Sorted(maps.Keys(e.known)) {
		all = append(all, e.known[name])
	}
	return all, nil
}

func (e *environments) notListed() error {
	if e.err != nil {
		return fmt.Errorf("%w: %w", errNotListed, e.err)
	}
	return errNotListed
}

// Control returns what reads and changes an environment.
func (e *environments) Control(_ context.Context, name string) (*control.Service, error) {
	running, err := e.find(name)
	if err != nil {
		return nil, err
	}
	return running.control, nil
}

// Create creates an environment, starts to follow it, and writes its settings if it needs some. Whoever asks next finds it complete,
// unless that takes unusually long.
func (e *environments) Create(ctx context.Context, name, actor string, c eval.Compatibility) (flagsync.Environment, error) {
	created, service, err := e.makeKnown(ctx, name, func(list *flagsync.Environments) (flagsync.Environment, error) {
		return list.Create(ctx, name, actor)
	})
	if err != nil {
		return flagsync.Environment{}, err
	}
	return created, writeCompatibility(ctx, service, actor, cmp.Or(c, e.options.Compatibility))
}

// Adopt makes an environment known again whose streams are in use, although CONTROL does not know it, and starts to follow it.
func (e *environments) Adopt(ctx context.Context, name, actor string) (flagsync.Environment, error) {
	adopted, _, err := e.makeKnown(ctx, name, func(list *flagsync.Environments) (flagsync.Environment, error) {
		return list.Adopt(ctx, name, actor)
	})
	return adopted, err
}

// makeKnown lets CONTROL know an environment, starts to follow it, and waits until it was read completely, unless that takes unusually long.
func (e *environments) makeKnown(
	ctx context.Context, name string, record func(*flagsync.Environments) (flagsync.Environment, error),
) (flagsync.Environment, *control.Service, error) {
	list, err := e.opened()
	if err == nil {
		err = e.allow(name)
	}
	if err != nil {
		return flagsync.Environment{}, nil, err
	}
	known, err := record(list)
	if err != nil {
		return flagsync.Environment{}, nil, err
	}
	if err := e.lookNow(ctx); err != nil {
		return flagsync.Environment{}, nil, err
	}
	service, err := e.Control(ctx, name)
	if err != nil {
		return flagsync.Environment{}, nil, err
	}
	within, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	_ = service.Await(within) // it is known in any case
	return known, service, nil
}

// allow lets the streams of an environment be created on the embedded server. Elsewhere the operator has allowed it, or not.
func (e *environments) allow(name string) error {
	if e.server == nil {
		return nil
	}
	return e.server.AllowEnvironment(name)
}

func (e *environments) opened() (*flagsync.Environments, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.list == nil {
		return nil, e.notListed()
	}
	return e.list, nil
}

// writeCompatibility writes the settings of a new environment, unless they would say nothing.
func writeCompatibility(ctx context.Context, service *control.Service, actor string, c eval.Compatibility) error {
	if c == "" {
		return nil
	}
	body, err := json.Marshal(map[string]eval.Compatibility{"compatibility": c})
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	_, err = service.Do(ctx, control.Origin{Actor: actor, Reason: "environment created", Owner: true}, control.Put{
		ID:   changelog.ID{Kind: changelog.KindSettings, Key: changelog.SettingsKey},
		Body: body,
		If:   control.Precondition{Absent: true},
	})
	return err
}

// Archive takes an environment out of use.
func (e *environments) Archive(ctx context.Context, name, actor string) error {
	if why, readOnly := e.options.ReadOnly[name]; readOnly {
		return &control.Refusal{Cause: control.CauseReadOnly, Detail: why}
	}
	list, err := e.opened()
	if err != nil {
		return err
	}
	if err := list.Archive(ctx, name, actor); err != nil {
		return err
	}
	return e.lookNow(ctx)
}

// lookNow makes run read the list, and waits until it did.
func (e *environments) lookNow(ctx context.Context) error {
	asked := make(chan error, 1)
	select {
	case e.refresh <- asked:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-asked:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unready returns what is missing until every environment can be read, or nil.
func (e *environments) unready() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.listed {
		return e.notListed()
	}
	for _, name := range slices.Sorted(maps.Keys(e.running)) {
		if !e.running[name].ready() {
			return fmt.Errorf("environment %q: %w", name, control.ErrNotReady)
		}
	}
	return nil
}

// names returns the names of all environments, archived ones too.
func (e *environments) names() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.known))
}

// all returns the environments that are followed, by name.
func (e *environments) all() []*environment {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []*environment
	for _, name := range slices.Sorted(maps.Keys(e.running)) {
		all = append(all, e.running[name])
	}
	return all
}
