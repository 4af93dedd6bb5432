package publisher

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	flagsync "github.com/flagside/flagside/sync"
)

const (
	// reachTimeout is how long a server may not be reached at first, and stepTimeout later: an election takes 4 to 9 seconds.
	reachTimeout = 5 * time.Second
	stepTimeout  = 30 * time.Second

	retryPause = 250 * time.Millisecond
)

// patiently carries out a step that can be repeated, again while the server cannot be reached.
func patiently(ctx context.Context, step func() error) error { return retry(ctx, stepTimeout, step) }

func retry(ctx context.Context, limit time.Duration, step func() error) error {
	for until := time.Now().Add(limit); ; {
		err := step()
		if !errors.Is(err, flagsync.ErrUnreachable) || time.Now().After(until) || !lifecycle.Pause(ctx, retryPause) {
			return err
		}
	}
}
