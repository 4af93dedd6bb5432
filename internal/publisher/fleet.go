package publisher

import (
	"context"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/writer"
)

// measured is a store that tells the table of the fleet what arrives in it.
type measured struct {
	*cache.Store

	fleet *fleet.Table
}

// Apply applies transactions. Those of the past, which are caught up with, are not measured.
func (m measured) Apply(txs []changelog.Transaction) error {
	arrived, current := time.Now(), m.Source() == cache.SourceLive
	if err := m.Store.Apply(txs); err != nil {
		return err
	}
	if !current {
		return nil
	}
	for _, tx := range txs {
		m.fleet.Committed(fleet.Change{Position: tx.Position(), First: tx[0].Revision, State: tx.Head().State, IDs: idsOf(tx)}, arrived)
	}
	return nil
}

func idsOf(tx changelog.Transaction) []document.ID {
	ids := make([]document.ID, len(tx))
	for i, r := range tx {
		ids[i] = document.ID{Kind: r.Kind, Key: r.Key}
	}
	return ids
}

// Load takes another state over.
func (m measured) Load(r *changelog.SnapshotReader) error {
	if err := m.Store.Load(r); err != nil {
		return err
	}
	m.stand()
	return nil
}

// Synced notes that the state is complete.
func (m measured) Synced() {
	before := m.Source()
	m.Store.Synced()
	if before != m.Source() {
		m.stand()
	}
}

// stand tells the table where the log stands.
func (m measured) stand() {
	if view := m.View(); view != nil {
		m.fleet.Stand(view.Position(), view.StateDigest())
	}
}

// measuredLog is a log that tells the table when a change is committed, which may be before it arrives from the feed.
type measuredLog struct {
	control.Log

	fleet *fleet.Table
}

// Append implements control.Log.
func (l measuredLog) Append(ctx context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error) {
	outcome, err := l.Log.Append(ctx, basis, c)
	if err == nil && outcome.State == writer.Committed {
		l.fleet.Committed(fleet.Change{Position: outcome.Position}, time.Now())
	}
	return outcome, err
}

// fleetLook is how often the table is looked at while no reports come.
const fleetLook = time.Second

// hearReports keeps the table of the fleet until ctx ends.
func (e *environment) hearReports(ctx context.Context) error {
	heard, err := status.Listen(e.conn, e.name, func(r status.Report, err error) {
		if err != nil {
			e.fleet.Refuse()
			return
		}
		e.fleet.Observe(r, time.Now())
	})
	if err != nil {
		return err
	}
	defer heard.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-heard.Missed:
			e.fleet.Rebuild(time.Now())
		}
	}
}

// watchFleet keeps what is wrong with the fleet up to date until ctx ends.
func (e *environment) watchFleet(ctx context.Context) {
	_ = lifecycle.Every(ctx, fleetLook, func(context.Context) { e.fleet.Look(time.Now()) }) // always nil
}

// Fleet returns what is known of the sidecars of an environment.
func (e *environments) Fleet(_ context.Context, name string) (*fleet.Table, error) {
	running, err := e.find(name)
	if err != nil {
		return nil, err
	}
	return running.fleet, nil
}
