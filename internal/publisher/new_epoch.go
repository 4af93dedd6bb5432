package publisher

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/progress"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// epochTimeout bounds writing a new epoch, and epochReadTimeout how long it is then waited for here.
	epochTimeout     = 2 * time.Minute
	epochReadTimeout = 10 * time.Second
)

// Recreate writes what is known here of an environment as a new epoch of its log.
func (e *environments) Recreate(ctx context.Context, name string, o decide.Origin, how admin.Restoring) (control.Restored, error) {
	running, err := e.find(name)
	if err != nil {
		return control.Restored{}, err
	}
	view := running.store.View()
	if view == nil {
		return control.Restored{}, &decide.Refusal{Cause: decide.CauseNotKnown, Detail: fmt.Sprintf("This publisher does not know what environment %q was: "+
			"ask another one that ran before, or restore a snapshot, such as a sidecar keeps in its data directory.", name)}
	}
	return e.beginEpoch(ctx, running, o, how, nil)
}

// Restore makes an environment what a snapshot is: by a change request while its log can be written to, and by a new epoch otherwise.
func (e *environments) Restore(
	ctx context.Context, name string, o decide.Origin, how admin.Restoring, snapshot io.ReadSeeker,
) (control.Restored, error) {
	running, err := e.find(name)
	if err != nil {
		return control.Restored{}, err
	}
	view, err := e.readSnapshot(ctx, running, snapshot)
	if err != nil {
		return control.Restored{}, err
	}
	log, err := running.opening(ctx)
	if needsNewEpoch(err) {
		return e.beginEpoch(ctx, running, o, how, view)
	}
	if err != nil {
		return control.Restored{}, err
	}
	known, err := log.Holds(ctx, view.Position())
	if err != nil {
		return control.Restored{}, fmt.Errorf("%w: %w", control.ErrUnconfirmed, err)
	}
	return running.control.Restore(ctx, o, decide.Restoring{
		Snapshot: decide.WithoutKeys(view), InHistory: known, Part: how.Part, DryRun: how.DryRun, BreakGlass: how.BreakGlass,
	})
}

// needsNewEpoch reports whether a log that is refused can only go on with a new epoch.
func needsNewEpoch(refused error) bool {
	return errors.Is(refused, flagsync.ErrStreamLost) || errors.Is(refused, control.ErrUnwritable)
}

// find returns an environment that runs here.
func (e *environments) find(name string) (*environment, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if running, ok := e.running[name]; ok {
		return running, nil
	}
	switch known, exists := e.known[name]; {
	case exists && !known.Destroyed.IsZero():
		return nil, fmt.Errorf("%w: %q", writer.ErrEnvironmentDestroyed, name)
	case exists:
		return nil, fmt.Errorf("%w: %q", writer.ErrEnvironmentArchived, name)
	}
	if !e.listed {
		return nil, e.notListed()
	}
	return nil, fmt.Errorf("%w %q: create it first", flagsync.ErrEnvironmentUnknown, name)
}

// beginEpoch writes a snapshot, or without one what is held here, as a new epoch while no command is carried out here, and waits until that is
// known here. The caller may be gone, but what was begun is completed.
func (e *environments) beginEpoch(
	ctx context.Context, running *environment, o decide.Origin, how admin.Restoring, snapshot *cache.View,
) (out control.Restored, err error) {
	list, err := e.opened()
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), epochTimeout)
	defer cancel()
	err = running.control.Exclusively(ctx, func(ctx context.Context) error {
		n, err := running.newEpoch(ctx, how, snapshot)
		if err != nil {
			return err
		}
		n.Write = func(ctx context.Context, n decide.Epoch, begun func(context.Context) error) (changelog.Position, error) {
			return running.write(ctx, list, running.epochToWrite(o, n, begun))
		}
		out, err = running.control.Begin(ctx, o, n)
		return err
	})
	return out, err
}

// newEpoch returns what a new epoch would be, made from what is known here.
func (e *environment) newEpoch(ctx context.Context, how admin.Restoring, snapshot *cache.View) (n control.NewEpoch, err error) {
	n = control.NewEpoch{Epoch: decide.Epoch{BreakGlass: how.BreakGlass}, DryRun: how.DryRun, Ledger: e.ledgerAnyway}
	healthy := e.Refused() == nil
	if healthy {
		err = e.follower.Barrier(ctx)
	}
	if err != nil && !how.BreakGlass {
		return n, fmt.Errorf("%w: %w", control.ErrUnconfirmed, err)
	}
	held := e.store.View()
	n.Newest = held != nil && (healthy && err == nil || e.lostNothing(held))
	n.Held = decide.Nothing()
	if held != nil {
		n.Held = decide.WithoutKeys(held)
	}
	n.Wanted = n.Held
	if snapshot != nil {
		n.Wanted, n.Restoration.Snapshot = decide.WithoutKeys(snapshot), snapshot.Position()
	}
	return n, nil
}

// lostNothing reports whether the log is gone and nothing that was heard of it tells that it had more than what is held. What the ledger tells
// is decided with the epoch.
func (e *environment) lostNothing(held *cache.View) bool {
	s := e.follower.Status()
	at := held.Position().Revision
	wrong := cmp.Or(s.DifferentHistory, s.Hole, s.Unreadable, s.DifferentState)
	return s.StreamMissing && wrong == nil && s.Head <= at && s.Received <= at
}

// ledgerAnyway returns the ledger, whatever has become of the log.
func (e *environment) ledgerAnyway(ctx context.Context) (control.Ledger, error) {
	return e.openLedger(ctx)
}

// epochToWrite returns what is written of a new epoch. One that is to lose nothing is written only where the log ends as it is known here.
func (e *environment) epochToWrite(o decide.Origin, n decide.Epoch, begun func(context.Context) error) writer.NewEpoch {
	documents := slices.Collect(n.Wanted.Documents())
	r := writer.NewEpoch{
		OpID: rand.Text(), Actor: o.Principal.RecordID(), Reason: cmp.Or(o.Reason, "environment recreated"), Time: time.Now(),
		Documents: slices.Values(documents), Count: len(documents), After: n.After, Begun: begun,
	}
	if n.Newest {
		r.Onto = &changelog.Position{} // the log is gone
		if e.Refused() == nil {
			r.Onto = new(n.Held.Position())
		}
	}
	return r
}

// write writes a new epoch, and waits until it is known here.
func (e *environment) write(ctx context.Context, list *writer.Environments, r writer.NewEpoch) (changelog.Position, error) {
	meter := progress.Of(ctx)
	meter.Expect(r.Count)
	r.Wrote = meter.Add
	position, err := list.Recreate(ctx, e.name, r)
	if err != nil {
		return changelog.Position{}, err
	}
	e.logger.Warn().Str("actor", r.Actor).Str("reason", r.Reason).Int("documents", r.Count).
		Str("revision", position.Token().String()).Msg("new epoch begun")
	return position, e.awaitEpoch(ctx, position.Epoch)
}

// overwrite writes the documents of a caller that has the truth elsewhere as a new epoch.
func (e *environments) overwrite(ctx context.Context, name string, o decide.Origin, documents []document.Document) error {
	running, err := e.find(name)
	if err != nil {
		return err
	}
	if why, readOnly := e.options.ReadOnly[name]; readOnly && !o.Owner {
		return &decide.Refusal{Cause: decide.CauseReadOnly, Detail: why}
	}
	list, err := e.opened()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), epochTimeout)
	defer cancel()
	return running.control.Exclusively(ctx, func(ctx context.Context) error {
		_, err := running.write(ctx, list, writer.NewEpoch{
			OpID: rand.Text(), Actor: o.Actor, Reason: o.Reason, Time: time.Now(), Documents: slices.Values(documents), Count: len(documents),
			After: running.store.Position(),
		})
		return err
	})
}

// errEpochNotRead means that a new epoch was written, but is not known here yet.
var errEpochNotRead = errors.New("the new epoch is written, but this publisher has not read it yet: do not repeat the command, look again in a moment")

// awaitEpoch waits until the state is one of an epoch, its log confirms that it is current, and it can be written to.
func (e *environment) awaitEpoch(ctx context.Context, epoch changelog.Epoch) error {
	ctx, cancel := context.WithTimeout(ctx, epochReadTimeout)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		if view := e.store.View(); view != nil && view.Position().Epoch == epoch && e.Refused() == nil && e.follower.Barrier(ctx) == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", control.ErrNotReady, errEpochNotRead)
		}
	}
}
