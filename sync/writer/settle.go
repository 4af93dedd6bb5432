package writer

import (
	"context"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// settle repeats an attempt to write, with growing pauses, until it is known what became of it: attempt publishes, and asks the leader
// where the answer leaves that open. When the disk of the streams is full, or ctx ends, before it is known, settle returns false and why,
// as far as that is known.
func settle(ctx context.Context, c jetstream.Client, attempt func() (known bool, err error)) (known bool, err error) {
	var pauses jetstream.Backoff
	for {
		known, err := attempt()
		if known {
			return true, err
		}
		if fault := c.StorageError(); fault != nil {
			return false, fault
		}
		if !pauses.Wait(ctx) {
			return false, err
		}
	}
}
