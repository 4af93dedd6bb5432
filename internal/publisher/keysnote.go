package publisher

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// keysInterval is how often it is looked whether the log has the newest keys note.
const keysInterval = time.Second

// keepKeys writes the newest keys note into the log until ctx ends, so that sidecars learn from the log itself who signs.
func (e *environment) keepKeys(ctx context.Context, log *writer.Log) {
	logged := ""
	write := func(ctx context.Context) {
		if err := e.writeKeys(ctx, log); err != nil && ctx.Err() == nil {
			e.logger.Warn().Err(err).Msg("keys note not written")
		}
		err := e.announceKeys(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != logged { // a ledger may be damaged for long
			e.logger.Warn().Err(err).Msg("keys note not written to the ledger")
		}
		logged = text(err)
	}
	write(ctx)
	_ = lifecycle.Every(ctx, keysInterval, write) // always nil
}

// writeKeys appends the keys note unless the log has it already. Another publisher may be faster.
func (e *environment) writeKeys(ctx context.Context, log *writer.Log) error {
	view, note := e.store.View(), e.conn.Keyring().Note()
	if view == nil || note.Version == 0 || e.Refused() != nil {
		return nil //nolint:nilerr // this happens again when writes are taken
	}
	wanted, err := changelog.KeysDocument(note)
	if err != nil {
		return err
	}
	held, ok := view.Document(wanted.ID())
	if ok && string(held.Body) == string(wanted.Body) {
		return nil
	}
	return e.control.Exclusively(ctx, func(ctx context.Context) error {
		view := e.store.View()
		_, err := log.Append(ctx, view, writer.Change{
			OpID: rand.Text(), Actor: "flagside", Reason: "the keys note changed", Time: time.Now(), Documents: []document.Document{wanted},
		})
		return err
	})
}

// announceKeys appends the keys note to the ledger unless it has it already.
func (e *environment) announceKeys(ctx context.Context) error {
	if e.Refused() != nil {
		return nil //nolint:nilerr // as above
	}
	if _, err := e.Ledger(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	ledger := e.ledger
	e.mu.Unlock()
	return ledger.Announce(ctx)
}

// anchors returns how far the ledger and CONTROL are known to go.
func (e *environment) anchors() (ledger, control changelog.Anchor) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ledger != nil {
		ledger = e.ledger.Head()
	}
	if e.controlHead != nil {
		control = e.controlHead()
	}
	return ledger, control
}
