package writer

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// Announce appends the keys note that counts, unless the journal has it or this
// publisher cannot sign. Call it when a publisher has read the journal and each
// time the keys note changes: a journal whose newest record was signed by a key
// that a later note drops could not be proved any more.
func (j *Ledger) Announce(ctx context.Context) error {
	note := j.conn.Keyring().Note()
	for j.lacksKeys(note) {
		if err := j.catchUp(ctx); err != nil {
			return fmt.Errorf("announce the keys note: %w", err)
		}
		base := j.Head().Sequence // taken before the last look, so that what comes between is a conflict
		if err := j.maySign(); err != nil || !j.lacksKeys(note) {
			return nil //nolint:nilerr // another publisher does it
		}
		body, err := changelog.KeysRecord(note)
		if err != nil {
			return err
		}
		_, err = j.append(ctx, base, ledgerAppend{ledger: j, opID: newID(), body: body, noted: note.Version})
		if err != nil && (!errors.Is(err, ErrConflict) || ctx.Err() != nil) {
			return fmt.Errorf("announce the keys note: %w", err)
		}
	}
	return nil
}

func (j *Ledger) lacksKeys(n changelog.KeysNote) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.noted < n.Version
}
