package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// undecidedTimeout bounds how long something is stored again and again: an election takes 4 to 9 seconds.
const undecidedTimeout = 30 * time.Second

// attempts are those to store something, of which it is not known at first what became of it.
type attempts struct {
	client jetstream.Client
	until  time.Time
	pauses jetstream.Backoff
}

func newAttempts(client jetstream.Client) *attempts {
	return &attempts{client: client, until: time.Now().Add(undecidedTimeout)}
}

// failed returns nil if an error leaves open what became of an attempt. A full disk of an embedded server leaves nothing open.
func (a *attempts) failed(err error) error {
	if !jetstream.Undecided(err) && !jetstream.NoResponders(err) {
		return err
	}
	a.client.ProbeStorage()
	if fault := a.client.StorageError(); fault != nil {
		return fmt.Errorf("%w: %v", fault, err) //nolint:errorlint // it is not to be repeated as one of a server that cannot be reached
	}
	return nil
}

// pause waits for the next attempt. It fails with the error of the last one when there is no other.
func (a *attempts) pause(ctx context.Context, err error) error {
	switch {
	case time.Now().After(a.until):
		return fmt.Errorf("the server has not stored it for %s: look at its disk and its log: %w", undecidedTimeout, err)
	case !a.pauses.Wait(ctx):
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}
