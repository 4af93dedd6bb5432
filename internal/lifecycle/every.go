package lifecycle

import (
	"context"
	"time"
)

// Every calls do after each interval until ctx ends, and returns nil. Calls do not overlap; one that takes longer than the interval is followed by the
// next at once. do gets ctx.
func Every(ctx context.Context, interval time.Duration, do func(context.Context)) error {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			do(ctx)
		}
	}
}

// Pause waits, and reports whether ctx is still alive.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
