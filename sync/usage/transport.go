package usage

import (
	"context"
	"fmt"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Send sends the bytes of a report about an environment, and returns nil once a stream
// of the publishers holds it, now or since an earlier call. Everything that may pass by
// trying again later is [flagsync.ErrUnreachable]; that no stream takes reports is too.
func Send(ctx context.Context, c *flagsync.Conn, environment, boot string, n uint64, data []byte) error {
	m := jetstream.NewOutgoing(jetstream.UsageSubject(environment)+"."+boot, data)
	m.SetID(ID(boot, n))
	if _, err := jetstream.Use(c).Publish(ctx, m); err != nil {
		return fmt.Errorf("usage report: %w", err)
	}
	return nil
}

// ID returns what the report of a process with a number is known by.
func ID(boot string, n uint64) string { return fmt.Sprintf("%s/%d", boot, n) }
