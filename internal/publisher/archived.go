package publisher

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/control"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// archivedInterval is how often it is looked whether the ledgers of archived environments have the newest keys note, archivedTimeout bounds
	// one look at one of them, and archivedRetry is how long one that cannot be read is left alone.
	archivedInterval = 2 * time.Second
	archivedTimeout  = 10 * time.Second
	archivedRetry    = time.Minute
)

// archivedLedgers are the ledgers of archived environments, as far as they were opened. They are kept, because a ledger whose keys no keys note
// lists any more can be read only by a publisher that knows it from before, and can add the newest keys note. The zero value has none. It is
// safe for concurrent use.
type archivedLedgers struct {
	mu    sync.Mutex // guards what follows, by environment
	known map[string]*writer.Ledger
	retry map[string]time.Time // when one that could not be read is tried again
}

// keep takes over a ledger, unless one of the environment is known.
func (a *archivedLedgers) keep(environment string, ledger *writer.Ledger) *writer.Ledger {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known, a.retry = make(map[string]*writer.Ledger), make(map[string]time.Time)
	}
	if a.known[environment] == nil && ledger != nil {
		a.known[environment] = ledger
	}
	return a.known[environment]
}

// forget drops the ledger of an environment that is in use again.
func (a *archivedLedgers) forget(environment string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, environment)
	delete(a.retry, environment)
}

// heads returns how far the ledgers are known to go.
func (a *archivedLedgers) heads() []changelog.StreamHead {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []changelog.StreamHead
	for _, name := range slices.Sorted(maps.Keys(a.known)) {
		if at := a.known[name].Head(); !at.IsZero() {
			all = append(all, changelog.StreamHead{Stream: writer.LedgerOf(name).Stream(), Anchor: at})
		}
	}
	return all
}

// isDue reports whether a ledger is to be looked at.
func (a *archivedLedgers) isDue(environment string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !now.Before(a.retry[environment])
}

// leave leaves a ledger alone for a while.
func (a *archivedLedgers) leave(environment string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.retry == nil {
		a.retry = make(map[string]time.Time)
	}
	a.retry[environment] = now.Add(archivedRetry)
}

// reconcileArchived begins or ends the heartbeats of an environment that is archived. The caller holds the mutex.
func (e *environments) reconcileArchived(ctx context.Context, conn *flagsync.Conn, wg *sync.WaitGroup, listed writer.Environment) error {
	end, beats := e.beating[listed.Name]
	wanted := !listed.Archived.IsZero() && listed.Destroyed.IsZero()
	switch {
	case beats && !wanted:
		end()
		delete(e.beating, listed.Name)
	case wanted && !beats:
		if err := e.allow(listed.Name); err != nil {
			return fmt.Errorf("environment %q: %w", listed.Name, err)
		}
		logger := e.options.Logger.With().Str("environment", listed.Name).Logger()
		control := e.list.Ledger()
		anchors := func() (ledger, atControl changelog.Anchor) {
			if known := e.archived.keep(listed.Name, nil); known != nil {
				ledger = known.Head()
			}
			return ledger, control.Head()
		}
		o := writer.LogOptions{Environment: listed.Name, Replicas: e.options.Replicas, Anchors: anchors}
		own, cancel := context.WithCancel(ctx)
		e.beating[listed.Name] = cancel
		wg.Go(func() {
			if err := writer.NewArchivedHeartbeater(conn, o, listed.Archived, logger).Run(own); err != nil && own.Err() == nil {
				logger.Error().Err(err).Msg("heartbeats of the archived environment stopped")
			}
		})
	}
	return nil
}

// archivedLedger returns the ledger of an environment that is archived.
func (e *environments) archivedLedger(ctx context.Context, name string) (*writer.Ledger, error) {
	e.mu.Lock()
	known, exists := e.known[name]
	conn := e.conn
	e.mu.Unlock()
	if !exists || known.Archived.IsZero() || conn == nil {
		if _, err := e.find(name); err != nil {
			return nil, err
		}
		return nil, control.ErrNotReady // it has just begun to run
	}
	if ledger := e.archived.keep(name, nil); ledger != nil {
		return ledger, nil
	}
	opened, err := writer.OpenLedger(ctx, conn, writer.LedgerOf(name), e.options.Replicas)
	if err != nil {
		return nil, err
	}
	return e.archived.keep(name, opened), nil
}

// keepArchived writes the newest keys note into the ledgers of archived environments until ctx ends, so that they stay proved.
func (e *environments) keepArchived(ctx context.Context) {
	_ = lifecycle.Every(ctx, archivedInterval, func(ctx context.Context) { // always nil
		all, err := e.List(ctx)
		if err != nil {
			return // it is not known yet which there are
		}
		for _, known := range all {
			if !known.Archived.IsZero() && e.archived.isDue(known.Name, time.Now()) {
				e.announceArchived(ctx, known.Name)
			}
		}
	})
}

func (e *environments) announceArchived(ctx context.Context, name string) {
	within, cancel := context.WithTimeout(ctx, archivedTimeout)
	defer cancel()
	ledger, err := e.archivedLedger(within, name)
	if err == nil {
		err = ledger.Announce(within)
	}
	if err != nil && ctx.Err() == nil {
		e.archived.leave(name, time.Now())
		e.options.Logger.Warn().Err(err).Str("environment", name).Msg("keys note not written to the ledger of an archived environment, trying again in a minute")
	}
}
