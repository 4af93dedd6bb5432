package sidecar

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/sync/follow"
)

// Check tries once, with the options, what a sidecar begins with: to take its addresses and the data directory, to read its files, the bootstrap
// file among them, and what following the environment takes: to connect, to listen, a barrier and a direct get. The error names each address,
// file, permission or JetStream domain that is missing. It changes nothing, other than that it makes the data directory, and waits a few
// seconds at most.
func Check(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	keys, err := o.keyring()
	if err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	o.Logger = zerolog.Nop() // the error says it
	errs := []error{checkStart(o)}
	if err := cache.Check(o.storage(keys), o.BootstrapFile); err != nil {
		errs = append(errs, err)
	}
	if err := follow.Check(ctx, o.connection(keys), o.Environment); err != nil {
		errs = append(errs, fmt.Errorf("environment %s cannot be followed: %w", o.Environment, err))
	}
	return errors.Join(errs...)
}

// checkStart makes a sidecar, which takes its addresses, the data directory and its files, and gives them back.
func checkStart(o Options) error {
	s, err := New(o)
	if err != nil {
		return err
	}
	return s.Close()
}
