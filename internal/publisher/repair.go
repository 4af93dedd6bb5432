package publisher

import (
	"context"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// repairTimeout bounds a repair, and repairedTimeout how long it is then waited for here.
	repairTimeout   = time.Minute
	repairedTimeout = 10 * time.Second
)

// RepairLedger has the ledger of an environment go on behind a damage.
func (e *environments) RepairLedger(ctx context.Context, name string, order writer.Order) (writer.LedgerRepaired, error) {
	if why, readOnly := e.options.ReadOnly[name]; readOnly {
		return writer.LedgerRepaired{}, &decide.Refusal{Cause: decide.CauseReadOnly, Detail: why}
	}
	running, err := e.find(name)
	if err != nil {
		return writer.LedgerRepaired{}, err
	}
	done, err := e.repair(ctx, writer.LedgerOf(name), ordered(order, running.ledgerReached()))
	if err != nil {
		return writer.LedgerRepaired{}, err
	}
	within, cancel := context.WithTimeout(ctx, repairedTimeout)
	defer cancel()
	running.awaitLedger(within) // it is repaired in any case
	return done, nil
}

// RepairControl has CONTROL go on behind a damage.
func (e *environments) RepairControl(ctx context.Context, order writer.Order) (writer.LedgerRepaired, error) {
	list, err := e.opened()
	if err != nil {
		return writer.LedgerRepaired{}, err
	}
	done, err := e.repair(ctx, writer.ControlLedger(), ordered(order, e.controlReached(list)))
	if err != nil {
		return writer.LedgerRepaired{}, err
	}
	if err := e.lookNow(ctx); err != nil {
		e.options.Logger.Warn().Err(err).Msg("CONTROL repaired, but the list of environments could not be read")
	}
	return done, nil
}

// ordered returns the repair that is ordered of a journal that is named up to a record.
func ordered(o writer.Order, missing changelog.Anchor) writer.LedgerRepair {
	return writer.LedgerRepair{Actor: o.Actor, Reason: o.Reason, BreakGlass: o.BreakGlass, Missing: missing}
}

// repair is completed once it was begun, also when the caller is gone.
func (e *environments) repair(ctx context.Context, name writer.LedgerName, r writer.LedgerRepair) (writer.LedgerRepaired, error) {
	e.mu.Lock()
	conn := e.conn
	e.mu.Unlock()
	if err := (decide.Origin{Reason: r.Reason}).Validate(); err != nil {
		return writer.LedgerRepaired{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), repairTimeout)
	defer cancel()
	done, err := writer.RepairLedger(ctx, conn, name, e.options.Replicas, r)
	select {
	case e.mended <- struct{}{}:
	default: // it is told already
	}
	return done, err
}

// controlReached returns the newest record of CONTROL that is known here or named in a log.
func (e *environments) controlReached(list *writer.Environments) changelog.Anchor {
	reached := newer(list.Ledger().Head(), list.Ledger().Missing())
	for _, running := range e.all() {
		reached = newer(reached, running.follower.Status().Control)
	}
	return reached
}

// ledgerReached returns the newest record of the ledger that is known here or named in the log.
func (e *environment) ledgerReached() changelog.Anchor {
	e.mu.Lock()
	ledger := e.ledger
	e.mu.Unlock()
	reached := e.follower.Status().Ledger
	if ledger == nil {
		return reached
	}
	return newer(reached, newer(ledger.Head(), ledger.Missing()))
}

func newer(a, b changelog.Anchor) changelog.Anchor {
	if b.Sequence > a.Sequence {
		return b
	}
	return a
}

// awaitLedger waits until the ledger can be read and the log is open, which a ledger that is gone prevents.
func (e *environment) awaitLedger(ctx context.Context) {
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for e.verifyLedger(ctx) != nil || e.Refused() != nil {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}

// verifyLedger returns what is wrong with the ledger.
func (e *environment) verifyLedger(ctx context.Context) error {
	ledger, err := e.openLedger(ctx)
	if err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	return ledger.Verify(ctx)
}
