package sidecar

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"

	flagsync "github.com/flagside/flagside/sync"
)

// Check tries once, with the options, what following the environment takes: to connect, to listen, a barrier and a direct get. The error
// names the permission or the JetStream domain that is missing. It changes nothing and waits a few seconds at most.
func Check(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	connection := o.connection()
	connection.Logger = zerolog.Nop() // the error says it
	if err := flagsync.Check(ctx, connection, o.Environment); err != nil {
		return fmt.Errorf("environment %s cannot be followed: %w", o.Environment, err)
	}
	return nil
}
