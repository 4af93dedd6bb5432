package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/internal/publisher/usage/folding"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// openRetry is how long a log that could not be opened is left alone.
const openRetry = 2 * time.Second

// environment is one environment that is followed, and written to while its log can be.
type environment struct {
	name     string
	replicas int
	conn     *flagsync.Conn
	logger   zerolog.Logger
	store    *cache.Store
	follower *follow.Follower
	control  *control.Service
	fleet    *fleet.Table
	usage    *folding.Folder // nil if the usage is not kept
	previews *previews
	cancel   context.CancelFunc
	tracing  tracing
	opened   chan struct{} // closed when the log was opened or refused for the first time
	// controlHead returns how far CONTROL is known to go.
	controlHead func() changelog.Anchor

	mu      sync.Mutex // guards what follows
	log     *writer.Log
	ledger  *writer.Ledger // nil until it was needed
	refused error          // why there is no log; nil before the first attempt
}

// newEnvironment returns an environment that is not followed yet.
func newEnvironment(
	name string, o Options, conn *flagsync.Conn, gate *gate, metrics *metrics,
) (*environment, error) {
	logger := o.Logger.With().Str("environment", name).Logger()
	store, err := cache.New(cache.Options{Environment: name, MaxWork: o.MaxEvaluationWork, Logger: logger})
	if err != nil {
		return nil, err
	}
	tracing := newTracing(o.Tracer, name)
	sidecars := fleet.New(fleet.Options{Gathering: o.GatherReports, Measure: metrics.propagated(name), Everywhere: tracing.served}, time.Now())
	follower, err := follow.New(conn, measured{Store: store, fleet: sidecars}, follow.Options{Environment: name, HoldAtHole: true, Logger: logger})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	e := &environment{
		name: name, replicas: o.Replicas, conn: conn, logger: logger,
		store: store, follower: follower, fleet: sidecars, tracing: tracing, opened: make(chan struct{}), previews: newPreviews(),
	}
	if e.usage, err = newFolder(e, o); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	e.control = control.NewService(control.Options{
		Environment: name, Store: e, Follower: tracedFollower{Follower: follower, tracing: e.tracing}, Access: gate,
		Observer: observer{environment: e, metrics: metrics}, ReadOnly: o.ReadOnly[name], OpenRequests: o.OpenRequests, LedgerBytes: o.LedgerBytes, Now: o.Now,
		Usage: e.lately,
	})
	return e, nil
}

// State returns what is known of the environment, nil while that is not complete.
func (e *environment) State() decide.State {
	view := e.store.View()
	if view == nil {
		return nil
	}
	return decide.WithoutKeys(view)
}

// run follows the environment, writes to it, and beats for it until ctx ends.
func (e *environment) run(ctx context.Context) error {
	var wg sync.WaitGroup
	var followed, pursued, heard, answered error
	wg.Go(func() { heard = e.hearReports(ctx) })
	wg.Go(func() { answered = e.hearAnswers(ctx) })
	wg.Go(func() { e.watchFleet(ctx) })
	wg.Go(func() { followed = e.follower.Run(ctx) })
	wg.Go(func() { pursued = e.control.Run(ctx) })
	wg.Go(func() { e.publish(ctx) })
	wg.Go(func() { _ = e.foldUsage(ctx) }) // always nil
	wg.Wait()
	if ctx.Err() != nil {
		followed, heard, answered = nil, nil, nil // that they ended is what was asked for
	}
	return errors.Join(followed, pursued, heard, answered, e.store.Close())
}

// publish opens the log, announces its head and publishes snapshots. A log that is refused is tried again, because an operator may have mended it.
func (e *environment) publish(ctx context.Context) {
	log := e.open(ctx)
	for log == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(openRetry):
			log = e.open(ctx)
		}
	}
	beater := writer.NewHeartbeater(log, e.logger)
	beater.AskForAcks(e.fleet.Share)
	snapshotter := writer.NewSnapshotter(log, e.snapshot, e.logger)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := beater.Run(ctx); err != nil && ctx.Err() == nil {
			e.logger.Error().Err(err).Msg("heartbeats stopped")
		}
	})
	wg.Go(func() { _ = snapshotter.Run(ctx) }) // always nil
	wg.Go(func() { e.keepKeys(ctx, log) })
	wg.Wait()
}

// snapshot returns the state to publish as a snapshot, nil while there is none or the log does not continue it.
func (e *environment) snapshot() writer.Snapshot {
	view := e.store.View()
	if view == nil || e.Refused() != nil {
		return nil
	}
	return view
}

func (e *environment) open(ctx context.Context) *writer.Log {
	log, err := writer.OpenLog(ctx, e.conn, writer.LogOptions{Environment: e.name, Replicas: e.replicas, Anchors: e.anchors})
	if ctx.Err() != nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.log == nil && e.refused == nil {
		close(e.opened)
	}
	if err != nil && (e.refused == nil || e.refused.Error() != err.Error()) {
		e.logger.Error().Err(err).Msg("environment became read-only")
	}
	if err == nil && e.refused != nil {
		e.logger.Info().Msg("environment became writable again")
	}
	e.log, e.refused = log, err
	return log
}

// Log returns the log, or why nothing can be written now. It waits for the first attempt to open the log.
func (e *environment) Log(ctx context.Context) (control.Log, error) {
	log, err := e.opening(ctx)
	if err != nil {
		return nil, err
	}
	return measuredLog{Log: tracedLog{Log: log, tracing: e.tracing}, fleet: e.fleet}, nil
}

// opening is Log without tracing.
func (e *environment) opening(ctx context.Context) (*writer.Log, error) {
	select {
	case <-e.opened:
	case <-ctx.Done():
		return nil, control.ErrNotReady
	}
	if err := e.Refused(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log, nil
}

// Ledger returns the ledger, or why it cannot be read and written now.
func (e *environment) Ledger(ctx context.Context) (control.Ledger, error) {
	if _, err := e.Log(ctx); err != nil {
		return nil, err
	}
	return e.openLedger(ctx)
}

// openLedger returns the ledger, told how far it went by what publishers signed in the log.
func (e *environment) openLedger(ctx context.Context) (*writer.Ledger, error) {
	e.mu.Lock()
	ledger := e.ledger
	e.mu.Unlock()
	if ledger == nil {
		opened, err := writer.OpenLedger(ctx, e.conn, writer.LedgerOf(e.name), e.replicas)
		if err != nil {
			return nil, err
		}
		e.mu.Lock()
		e.ledger = cmp.Or(e.ledger, opened)
		ledger = e.ledger
		e.mu.Unlock()
	}
	ledger.Expect(e.follower.Status().Ledger)
	return ledger, nil
}

// knownLedger returns the ledger if it was opened, or nil.
func (e *environment) knownLedger() *writer.Ledger {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ledger
}

// Refused returns why nothing can be written now, or nil.
func (e *environment) Refused() error {
	status := e.follower.Status()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.refused != nil:
		return e.refused
	case e.log == nil:
		return control.ErrNotReady
	case status.StreamMissing:
		return fmt.Errorf("%w: environment %q: %s", flagsync.ErrStreamLost, e.name, remedies(e.name))
	case status.DifferentHistory != nil || status.Hole != nil:
		return fmt.Errorf("%w: %w: %s", control.ErrUnwritable, cmp.Or(status.DifferentHistory, status.Hole), remedies(e.name))
	}
	// Anyone who does not know the log to its end must not decide on it.
	if err := cmp.Or(status.Unreadable, status.DifferentState); err != nil {
		return fmt.Errorf("%w: %w", control.ErrUnwritable, err)
	}
	return nil
}

// unwritable returns why changes are refused, or nil.
func (e *environment) unwritable() error {
	if err := e.conn.StorageError(); err != nil {
		return err
	}
	return e.Refused()
}

// remedies says how an environment goes on whose log does not continue what is known.
func remedies(name string) string {
	return fmt.Sprintf("put the log back from a backup of NATS, or begin a new epoch: with what this publisher knows by "+
		"\"flagside environment recreate %[1]s\", with a snapshot by \"flagside environment restore %[1]s FILE\"", name)
}

// ready reports whether the environment is known completely, or cannot become so before someone mends its log.
func (e *environment) ready() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if errors.Is(e.refused, flagsync.ErrStreamLost) || errors.Is(e.refused, flagsync.ErrStreamMismatch) {
		return true
	}
	return e.log != nil && e.store.View() != nil
}
