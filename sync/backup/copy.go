package backup

import (
	"context"
	"fmt"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Last returns the sequence that a stream ends with, as its leader has it, and whether the stream exists.
func Last(ctx context.Context, conn *flagsync.Conn, stream string) (last uint64, exists bool, err error) {
	info, err := jetstream.Use(conn).Info(ctx, stream)
	switch {
	case jetstream.HasCode(err, jetstream.CodeStreamNotFound):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case info.Cluster != nil && len(info.Cluster.Replicas) > 0:
		if err := info.VerifyLease(); err != nil {
			return 0, true, fmt.Errorf("%s: %w: %w", stream, flagsync.ErrUnreachable, err)
		}
	}
	return info.State.LastSequence, true, nil
}

// Read yields the messages of a stream between two sequences, noise too, in order. It ends with the first error.
func Read(ctx context.Context, conn *flagsync.Conn, stream string, from, to uint64) Sequence {
	return func(yield func(Message, error) bool) {
		for m, err := range jetstream.Use(conn).Messages(ctx, stream, from, to) {
			if err != nil {
				yield(Message{}, fmt.Errorf("copy %s: %w", stream, err))
				return
			}
			if !yield(messageOf(m), nil) {
				return
			}
		}
	}
}

func messageOf(m jetstream.Message) Message {
	copied := Message{Sequence: m.Sequence, Time: m.Taken, Subject: m.Subject, Data: m.Data}
	for _, f := range m.StoredHeader() {
		copied.Headers = append(copied.Headers, Field(f))
	}
	return copied
}
