package sidecar

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	flagsync "github.com/flagside/flagside/sync"
)

// Check tries once, with the options, what a sidecar begins with: to write into the data directory, to read the bootstrap file, and what
// following the environment takes: to connect, to listen, a barrier and a direct get. The error names the file, the permission or the
// JetStream domain that is missing. It changes nothing, other than that it makes the data directory, and waits a few seconds at most.
func Check(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	keys, err := o.keyring()
	if err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	if err := cache.Check(o.storage(keys), o.BootstrapFile); err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	connection := o.connection(keys)
	connection.Logger = zerolog.Nop() // the error says it
	if err := flagsync.Check(ctx, connection, o.Environment); err != nil {
		return fmt.Errorf("environment %s cannot be followed: %w", o.Environment, err)
	}
	return nil
}
