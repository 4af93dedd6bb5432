package resolver

import (
	"context"
	"time"
)

// refreshPause is how long no refresh is tried after one that failed.
const refreshPause = time.Second

// refreshOnDemand makes a barrier whenever an answer rested on older knowledge than its flag wants, one at a time, until ctx ends.
func (r *Resolver) refreshOnDemand(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-r.refresh:
		}
		if r.barrier(ctx, r.deadline, causeRefresh) == nil {
			pause.Reset(0)
		} else {
			pause.Reset(refreshPause)
		}
	}
}

// wantRefresh asks Run for a refresh. It never waits; while one is asked for already, there is nothing to add.
func (r *Resolver) wantRefresh() {
	select {
	case r.refresh <- struct{}{}:
	default:
	}
}

// barrier makes sure that everything committed before the call is in the newest view, in the time that is
// given, and counts how it ended.
func (r *Resolver) barrier(ctx context.Context, timeout time.Duration, why cause) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := r.log.Barrier(ctx)
	r.counts.barrier(why, err)
	return err
}
