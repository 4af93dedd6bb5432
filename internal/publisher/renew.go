package publisher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// renewTimeout bounds writing a new epoch, and renewedTimeout how long it is then waited for here.
	renewTimeout   = 2 * time.Minute
	renewedTimeout = 10 * time.Second
)

// Recreate writes what is known here of an environment as a new epoch of its log.
func (e *environments) Recreate(ctx context.Context, name, actor string) error {
	running, err := e.find(name)
	if err != nil {
		return err
	}
	view := running.store.View()
	if view == nil {
		return &control.Refusal{Cause: control.CauseNotKnown, Detail: fmt.Sprintf("This publisher does not know what environment %q was: "+
			"ask another one that ran before, or restore a snapshot, such as a sidecar keeps in its data directory.", name)}
	}
	origin := control.Origin{Actor: actor, Reason: "environment recreated"}
	return e.renew(ctx, name, origin, slices.Collect(control.WithoutKeys(view).Documents()))
}

// Restore writes a snapshot of an environment as a new epoch of its log.
func (e *environments) Restore(ctx context.Context, name, actor string, snapshot io.Reader) error {
	running, err := e.find(name)
	if err != nil {
		return err
	}
	view, err := readSnapshot(name, snapshot, running.conn.Keyring(), e.options.MaxEvaluationWork)
	if err != nil {
		return err
	}
	origin := control.Origin{Actor: actor, Reason: fmt.Sprintf("environment restored from revision %s", view.Position().Token())}
	return e.renew(ctx, name, origin, slices.Collect(control.WithoutKeys(view).Documents()))
}

// readSnapshot reads a snapshot to its end, and refuses what could not be published.
func readSnapshot(name string, in io.Reader, keys *changelog.Keyring, maxWork int) (*cache.View, error) {
	malformed := func(err error) error {
		return &control.Refusal{Cause: control.CauseMalformed, Detail: fmt.Sprintf("The snapshot cannot be restored: %v.", err)}
	}
	reader, err := changelog.NewSnapshotReader(in, keys)
	if err != nil {
		return nil, malformed(err)
	}
	defer reader.Close()
	store, err := cache.New(cache.Options{Environment: name, MaxWork: maxWork, Logger: zerolog.Nop()})
	if err != nil {
		return nil, malformed(err)
	}
	if err := store.Load(reader); err != nil {
		return nil, malformed(err)
	}
	store.Synced()
	var fatal eval.Problems
	for _, p := range store.View().Rules().Problems() {
		if !p.Warning {
			fatal = append(fatal, p)
		}
	}
	if len(fatal) > 0 {
		return nil, &control.Refusal{Cause: control.CauseInvalid, Detail: "The snapshot cannot be published as it is.", Problems: fatal}
	}
	return store.View(), nil
}

// find returns an environment that runs here.
func (e *environments) find(name string) (*environment, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if running, ok := e.running[name]; ok {
		return running, nil
	}
	if _, archived := e.known[name]; archived {
		return nil, fmt.Errorf("%w: %q", flagsync.ErrEnvironmentArchived, name)
	}
	if !e.listed {
		return nil, e.notListed()
	}
	return nil, fmt.Errorf("%w %q: create it first", flagsync.ErrEnvironmentUnknown, name)
}

// renew writes documents as a new epoch while no command is carried out here, and waits until that is known here. Whoever asked may be
// gone, but what was begun is completed.
func (e *environments) renew(
	ctx context.Context, name string, origin control.Origin, documents []changelog.Document,
) error {
	if why, readOnly := e.options.ReadOnly[name]; readOnly && !origin.Owner {
		return &control.Refusal{Cause: control.CauseReadOnly, Detail: why}
	}
	running, err := e.find(name)
	if err != nil {
		return err
	}
	list, err := e.opened()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	return running.control.Alone(ctx, func(ctx context.Context) error {
		position, err := list.Recreate(ctx, name, flagsync.Renewal{
			OpID: rand.Text(), Actor: origin.Actor, Reason: origin.Reason, Time: time.Now(), Documents: slices.Values(documents), Count: len(documents),
			After: running.store.Position(),
		})
		if err != nil {
			return err
		}
		running.logger.Warn().Str("actor", origin.Actor).Str("reason", origin.Reason).Int("documents", len(documents)).
			Str("revision", position.Token().String()).Msg("a new epoch was written")
		return running.awaitEpoch(ctx, position.Epoch)
	})
}

// errNotTaken means that a new epoch was written, but is not known here yet.
var errNotTaken = errors.New("the new epoch is written, but this publisher has not read it yet")

// awaitEpoch waits until the state is one of an epoch, its log confirms that it is current, and it can be written to.
func (e *environment) awaitEpoch(ctx context.Context, epoch changelog.Epoch) error {
	ctx, cancel := context.WithTimeout(ctx, renewedTimeout)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		if view := e.store.View(); view != nil && view.Position().Epoch == epoch && e.writeRefused() == nil && e.follower.Barrier(ctx) == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", control.ErrNotReady, errNotTaken)
		}
	}
}
