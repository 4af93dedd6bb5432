package publisher

import (
	"context"
	"iter"

	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// tellLedger records in the ledger of an environment what CONTROL has about it. Without it CONTROL still says so.
func (e *environments) tellLedger(
	ctx context.Context, service *control.Service, name string, what requests.EventType, order writer.Order, record changelog.Anchor,
) {
	told := service.NoteAdministration(ctx, requests.Event{
		Type: what, By: order.Actor, Text: order.Reason, BreakGlass: order.BreakGlass, Control: record,
	})
	if !told {
		e.options.Logger.Warn().Str("environment", name).Str("event", string(what)).Uint64("control_sequence", record.Sequence).
			Msg("event not written to the ledger: only CONTROL has it")
	}
}

// Ledger returns what the ledger of an environment had recorded before the call, oldest first. That of an archived one is read only.
func (e *environments) Ledger(ctx context.Context, name string) (iter.Seq2[control.RecordedEvent, error], error) {
	if running, err := e.find(name); err == nil {
		return running.control.Events(ctx, 1), nil
	}
	journal, err := e.archivedLedger(ctx, name)
	if err != nil {
		return nil, err
	}
	return control.EventsOf(ctx, journal, 1), nil
}
