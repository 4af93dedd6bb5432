package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	flagsync "github.com/flagside/flagside/sync"
	flagjetstream "github.com/flagside/flagside/sync/internal/jetstream"
)

// Deleted is how much a stream had that was deleted.
type Deleted struct{ Messages, Bytes uint64 }

// Delete deletes a stream of the account of publishers with everything in it, for good. It returns false if there is no such stream.
func Delete(ctx context.Context, conn *flagsync.Conn, stream string) (deleted Deleted, existed bool, err error) {
	client := flagjetstream.Use(conn)
	js, err := jetstream.NewWithAPIPrefix(client.NATS(), client.OwnAPI())
	if err != nil {
		return Deleted{}, false, fmt.Errorf("stream %s: %w", stream, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Deleted{}, false, nil
	}
	if err == nil {
		err = js.DeleteStream(ctx, stream)
	}
	if err != nil {
		return Deleted{}, false, fmt.Errorf("stream %s: %w", stream, err)
	}
	had := s.CachedInfo().State
	return Deleted{Messages: had.Msgs, Bytes: had.Bytes}, true, nil
}
