package writer

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// Expect tells that a record is named elsewhere, in an entry, a heartbeat or a
// checkpoint. While the journal lacks the newest such record, nothing is appended
// to it ([ErrLedgerCut]), until it is repaired. Call it with what a publisher
// signed only: anything else could stop the journal.
func (j *Ledger) Expect(a changelog.Anchor) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a.Sequence > j.expected.Sequence {
		j.expected = a
	}
}

// Missing returns the expected record, unless it is zero, was read, or a repair
// stands behind it. It does not ask the leader.
func (j *Ledger) Missing() changelog.Anchor {
	j.mu.Lock()
	expected := j.expected
	j.mu.Unlock()
	if expected.IsZero() || j.isRepaired(expected.Sequence) {
		return changelog.Anchor{}
	}
	if found, ok := j.at(expected.Sequence); ok && found == expected {
		return changelog.Anchor{}
	}
	return expected
}

// Verify reads what is new and returns why nothing can be appended: [ErrDamaged],
// [ErrLedgerCut], [ErrStreamLost], or that the leader cannot be asked.
func (j *Ledger) Verify(ctx context.Context) error {
	if err := j.catchUp(ctx); err != nil {
		return err
	}
	return j.verifyExpected(ctx)
}

// verifyExpected returns [ErrLedgerCut] when the journal lacks what is known of
// it elsewhere.
func (j *Ledger) verifyExpected(ctx context.Context) error {
	if j.Missing().IsZero() {
		return nil
	}
	if err := j.catchUp(ctx); err != nil {
		return err
	}
	missing := j.Missing()
	if missing.IsZero() {
		return nil
	}
	return fmt.Errorf("%w: %s has no record %s, which is named elsewhere, and its newest record is %s: %s",
		ErrLedgerCut, j.name.stream, missing, j.Head(), j.name.remedy())
}
