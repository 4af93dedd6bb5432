package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	flagsync "github.com/flagside/flagside/sync"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// ledgerPoll is how often a journal is read although nothing was heard of it.
const ledgerPoll = time.Second

// Follow calls apply with every record from a sequence on, in order, until ctx
// ends, which is no error. It is told of new records as they are stored, and
// reads them from the leader; that the leader cannot be asked is logged and tried
// again. An error of apply, or one that wraps [ErrDamaged], ends it.
func (j *Ledger) Follow(ctx context.Context, from uint64, apply func(Record) error) error {
	stored := make(chan struct{}, 1)
	sub, err := j.conn.Subscribe(followSubject(j.name), func(jetstream.Message) {
		select {
		case stored <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("follow %s: %w: %w", j.name.stream, flagsync.ErrUnreachable, err)
	}
	defer sub.Unsubscribe()
	poll := time.NewTicker(ledgerPoll)
	defer poll.Stop()
	behind := false
	for {
		next, err := j.applyNew(ctx, from, apply)
		from = next
		switch {
		case ctx.Err() != nil:
			return nil // that it ends is what was asked for
		case errors.Is(err, errApply), errors.Is(err, ErrDamaged):
			return fmt.Errorf("follow %s: %w", j.name.stream, err)
		case err != nil && !behind:
			j.conn.Logger().Warn().Err(err).Str("stream", j.name.stream).Msg("ledger not read, trying again")
		case err == nil && behind:
			j.conn.Logger().Info().Str("stream", j.name.stream).Msg("ledger read again")
		}
		behind = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-stored:
		case <-poll.C:
		}
	}
}

// errApply marks an error of whom the records are for.
var errApply = errors.New("a record was not accepted")

// applyNew applies what there is from a sequence on, and returns where to go on.
func (j *Ledger) applyNew(ctx context.Context, from uint64, apply func(Record) error) (uint64, error) {
	for r, err := range j.Read(ctx, from) {
		if err != nil {
			return from, err
		}
		if err := apply(r); err != nil {
			return from, fmt.Errorf("%w: %s at %d: %w", errApply, j.name.stream, r.Sequence, err)
		}
		from = r.Sequence + 1
	}
	return from, nil
}
