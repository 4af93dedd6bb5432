package flagsync

import (
	"context"
	"errors"
	"fmt"
)

// errShorter means that a stream ends before a message that it had.
var errShorter = errors.New("it is shorter than it was")

// Verify reads what is not known yet of the journal and returns why it does not
// go on, nil if it does: [ErrDamaged]; [ErrJournalCut] when it lacks a record that
// is expected or was read before; [ErrStreamLost]. Any other error tells that the
// leader could not be asked. A leader that lags behind also makes a journal look
// cut, so look again before you act.
func (j *Journal) Verify(ctx context.Context) error {
	err := j.catchUp(ctx)
	if errors.Is(err, errShorter) {
		return fmt.Errorf("%w: %w", ErrJournalCut, err)
	}
	if err != nil {
		return err
	}
	return j.verifyExpected(ctx)
}

// Name returns what the journal was opened as.
func (j *Journal) Name() JournalName { return j.name }
