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

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
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
	options   Options
	metrics   *metrics
	gate      *gate              // answers what is permitted
	refresh   chan chan error    // asks run to read the list now
	mended    chan struct{}      // tells that a journal was repaired
	uploads   chan struct{}      // of one: held while a snapshot that was uploaded is read
	verifying chan struct{}      // of one: held while a history is verified
	server    *natsserver.Server // nil when the NATS server is elsewhere
	// archived are the ledgers of environments that do not run any more.
	archived archivedLedgers

	mu      sync.Mutex           // guards what follows
	list    *writer.Environments // nil until it was opened
	conn    *flagsync.Conn       // set with list
	listed  bool
	err     error // of the last look
	running map[string]*environment
	beating map[string]context.CancelFunc // ends the heartbeats of an environment that is archived
	known   map[string]writer.Environment
	lost    []string // that run here, and CONTROL does not list after a repair
}

func newEnvironments(o Options, g *gate) *environments {
	return &environments{
		options:   o,
		gate:      g,
		refresh:   make(chan chan error),
		mended:    make(chan struct{}, 1),
		uploads:   make(chan struct{}, 1),
		verifying: make(chan struct{}, 1),
		running:   make(map[string]*environment),
		beating:   make(map[string]context.CancelFunc),
		known:     make(map[string]writer.Environment),
	}
}

// run follows the environments until ctx ends, and returns when all are at rest.
func (e *environments) run(ctx context.Context, conn *flagsync.Conn) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { e.keepArchived(ctx) })
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

// look reads the list, starts what is new and stops what was archived.
func (e *environments) look(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup) error {
	within, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := e.open(within, conn)
	if err != nil {
		return err
	}
	e.expect(list)
	all, err := list.List(within)
	if err != nil {
		return err
	}
	e.noteLost(all)
	var errs []error
	for _, listed := range all {
		errs = append(errs, e.reconcile(ctx, conn, wg, listed))
	}
	return errors.Join(errs...)
}

// noteLost takes note of environments that run here and are not listed: CONTROL was repaired and had lost them. They go on.
func (e *environments) noteLost(listed []writer.Environment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost = nil
	for _, name := range slices.Sorted(maps.Keys(e.running)) {
		if !slices.ContainsFunc(listed, func(l writer.Environment) bool { return l.Name == name }) {
			e.lost = append(e.lost, name)
		}
	}
}

// forgotten returns the environments that run here and that CONTROL has lost.
func (e *environments) forgotten() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost
}

// expect tells CONTROL how far it went, by what publishers signed in the logs.
func (e *environments) expect(list *writer.Environments) {
	for _, running := range e.all() {
		list.Ledger().Expect(running.follower.Status().Control)
	}
}

func (e *environments) open(ctx context.Context, conn *flagsync.Conn) (*writer.Environments, error) {
	e.mu.Lock()
	list := e.list
	e.mu.Unlock()
	if list != nil {
		return list, nil
	}
	list, err := writer.OpenEnvironments(ctx, conn, e.options.Replicas)
	if err != nil {
		return nil, err
	}
	// One with other settings is a condition, and nothing here needs it.
	if _, err := writer.OpenPeople(ctx, conn, e.options.Replicas); err != nil && !errors.Is(err, flagsync.ErrStreamMismatch) {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.conn = cmp.Or(e.list, list), conn // all use the same journal
	return e.list, nil
}

// reconcile starts or stops what runs for one environment.
func (e *environments) reconcile(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup, listed writer.Environment) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[listed.Name] = listed
	running, runs := e.running[listed.Name]
	if err := e.reconcileArchived(ctx, conn, wg, listed); err != nil {
		return err
	}
	switch {
	case !listed.Archived.IsZero() && runs:
		running.cancel()
		e.archived.keep(listed.Name, running.knownLedger())
		delete(e.running, listed.Name)
	case listed.Archived.IsZero() && !runs:
		if err := e.allow(listed.Name); err != nil {
			return fmt.Errorf("environment %q: %w", listed.Name, err)
		}
		e.archived.forget(listed.Name) // what runs has a ledger of its own
		started, err := newEnvironment(listed.Name, e.options, conn, e.gate, e.metrics)
		if err != nil {
			return fmt.Errorf("environment %q: %w", listed.Name, err)
		}
		own, cancel := context.WithCancel(ctx)
		started.cancel, started.controlHead = cancel, e.list.Ledger().Head
		e.running[listed.Name] = started
		wg.Go(func() {
			if err := started.run(own); err != nil {
				started.logger.Error().Err(err).Msg("stopped following the environment")
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
		e.options.Logger.Warn().Err(err).Msg("list of environments not read, trying again")
	}
	if err == nil && e.err != nil {
		e.options.Logger.Info().Msg("list of environments read again")
	}
	if first && len(e.running) == 0 && len(e.options.ReadOnly) == 0 { // what makes one read-only also creates it
		e.options.Logger.Info().Msg("no environment found: create one with \"flagside environment create NAME\"")
	}
	e.err, e.listed = err, e.listed || err == nil
}

// List returns all environments, archived ones too, by name.
func (e *environments) List(context.Context) ([]writer.Environment, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.listed {
		return nil, e.notListed()
	}
	var all []writer.Environment
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

// Create creates an environment, starts to follow it, and writes its settings if it needs some. Anyone who asks next finds it complete,
// unless that takes unusually long.
func (e *environments) Create(ctx context.Context, name string, order writer.Order, c eval.Compatibility) (writer.Environment, error) {
	list, err := e.opened()
	if err != nil {
		return writer.Environment{}, err
	}
	if err := e.allow(name); err != nil {
		return writer.Environment{}, err
	}
	created, err := list.Create(ctx, name, order)
	if err != nil {
		return writer.Environment{}, err
	}
	service, err := e.awaitNew(ctx, name)
	if err != nil {
		return writer.Environment{}, err
	}
	return created, writeCompatibility(ctx, service, order.Actor, cmp.Or(c, e.options.Compatibility))
}

// Adopt makes an environment known again whose streams are in use, starts to follow it, and tells its ledger.
func (e *environments) Adopt(ctx context.Context, name string, order writer.Order) (writer.Environment, error) {
	list, err := e.opened()
	if err != nil {
		return writer.Environment{}, err
	}
	if err := flagsync.ValidateEnvironment(name); err != nil {
		return writer.Environment{}, err
	}
	if err := e.allow(name); err != nil {
		return writer.Environment{}, err
	}
	adopted, record, err := list.Adopt(ctx, name, order)
	if err != nil {
		return writer.Environment{}, err
	}
	service, err := e.awaitNew(ctx, name)
	if err != nil {
		return writer.Environment{}, err
	}
	e.tellLedger(ctx, service, name, requests.EventAdopted, order, record)
	return adopted, nil
}

// awaitNew starts to follow an environment that was made known, and waits until it is complete, unless that takes unusually long.
func (e *environments) awaitNew(ctx context.Context, name string) (*control.Service, error) {
	if err := e.lookNow(ctx); err != nil {
		return nil, err
	}
	service, err := e.Control(ctx, name)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	_ = service.Await(within) // it is known in any case
	return service, nil
}

// allow lets the streams of an environment be created on the embedded server. Elsewhere the operator has allowed it, or not.
func (e *environments) allow(name string) error {
	if e.server == nil {
		return nil
	}
	return e.server.AllowEnvironment(name)
}

func (e *environments) opened() (*writer.Environments, error) {
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
	_, err = service.Do(ctx, decide.Origin{Actor: actor, Reason: "environment created", Owner: true}, decide.Put{
		ID:   document.ID{Kind: document.KindSettings, Key: document.SettingsKey},
		Body: body,
		If:   decide.Precondition{Absent: true},
	})
	return err
}

// Archive takes an environment out of use, and tells its ledger.
func (e *environments) Archive(ctx context.Context, name string, order writer.Order) error {
	if why, readOnly := e.options.ReadOnly[name]; readOnly {
		return &decide.Refusal{Cause: decide.CauseReadOnly, Detail: why}
	}
	list, err := e.opened()
	if err != nil {
		return err
	}
	service, lacking := e.Control(ctx, name) // it runs no longer once it is archived
	record, err := list.Archive(ctx, name, order)
	if err != nil {
		return err
	}
	if lacking == nil && !record.IsZero() {
		e.tellLedger(ctx, service, name, requests.EventArchived, order, record)
	}
	return e.lookNow(ctx)
}

// Revive takes an archived environment into use again, and tells its ledger.
func (e *environments) Revive(ctx context.Context, name string, order writer.Order) error {
	list, err := e.opened()
	if err != nil {
		return err
	}
	record, err := list.Revive(ctx, name, order)
	if err != nil || record.IsZero() {
		return err
	}
	service, err := e.awaitNew(ctx, name)
	if err == nil {
		e.tellLedger(ctx, service, name, requests.EventRevived, order, record)
	}
	return err
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
