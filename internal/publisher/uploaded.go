package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// maxRestored bounds the documents of a snapshot that is uploaded, in bytes, and documentCost is what each counts for beside its own.
	maxRestored  = 512 << 20
	documentCost = 256
)

// readSnapshot reads a snapshot that was uploaded, and refuses what could not be published. A few bytes may unfold into many that nothing
// proves before their end: so one is read at a time, first without keeping anything.
func (e *environments) readSnapshot(ctx context.Context, running *environment, in io.ReadSeeker) (*cache.View, error) {
	select {
	case e.uploads <- struct{}{}:
		defer func() { <-e.uploads }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: another snapshot is being read: %w", control.ErrUnconfirmed, ctx.Err())
	}
	keys := running.conn.Keyring()
	if err := proveSnapshot(ctx, in, keys, maxRestored); err != nil {
		return nil, malformedSnapshot(err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return loadSnapshot(running.name, in, keys, e.options.MaxEvaluationWork)
}

func malformedSnapshot(err error) error {
	return &decide.Refusal{Cause: decide.CauseMalformed, Detail: fmt.Sprintf("The snapshot cannot be restored: %v.", err)}
}

// proveSnapshot reads a snapshot to its end in bounded memory: afterwards it is known to be a state that a publisher signed, of at most so many
// bytes.
func proveSnapshot(ctx context.Context, in io.Reader, keys *changelog.Keyring, most int) error {
	reader, err := changelog.NewSnapshotReader(in, keys)
	if err != nil {
		return err
	}
	defer reader.Close()
	for size := 0; ; {
		d, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if size += documentCost + len(d.Key) + len(d.Body); size > most {
			return fmt.Errorf("its documents have more than %d bytes", most)
		}
	}
}

// loadSnapshot returns the state of a snapshot that was proved.
func loadSnapshot(name string, in io.Reader, keys *changelog.Keyring, maxWork int) (*cache.View, error) {
	reader, err := changelog.NewSnapshotReader(in, keys)
	if err != nil {
		return nil, malformedSnapshot(err)
	}
	defer reader.Close()
	store, err := cache.New(cache.Options{Environment: name, MaxWork: maxWork, Logger: zerolog.Nop()})
	if err != nil {
		return nil, malformedSnapshot(err)
	}
	if err := store.Load(reader); err != nil {
		return nil, malformedSnapshot(err)
	}
	store.Synced()
	var fatal eval.Problems
	for _, p := range store.View().Rules().Problems() {
		if !p.Warning {
			fatal = append(fatal, p)
		}
	}
	if len(fatal) > 0 {
		return nil, &decide.Refusal{Cause: decide.CauseInvalid, Detail: "The snapshot cannot be published as it is.", Problems: fatal}
	}
	return store.View(), nil
}
