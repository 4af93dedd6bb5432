package main

import (
	"context"
	"fmt"
	"time"
)

// rounds is how often each outage is made.
const rounds = 3

// outage is a way to lose the log, and the worst that was seen of it.
type outage struct {
	name  string
	begin func(*bench)
	stale time.Duration // from the beginning to the first answer that says so
	heal  time.Duration // from the end until the sidecar is live and a flag that demands it is confirmed
}

type outages []*outage

// outages takes the log away and gives it back, in each way. An outage lasts
// until the flag with a bound is stale and a little longer, each time another
// while, so that it ends at different moments of the attempts to connect.
func (b *bench) outages(ctx context.Context) (outages, error) {
	all := outages{{name: "cut", begin: (*bench).cut}, {name: "black hole", begin: (*bench).blackHole}}
	for _, o := range all {
		for round := range rounds {
			if err := b.suffer(ctx, o, time.Duration(round)*400*time.Millisecond); err != nil {
				return nil, fmt.Errorf("%s: %w", o.name, err)
			}
		}
	}
	return all, nil
}

func (b *bench) suffer(ctx context.Context, o *outage, longer time.Duration) error {
	begin := time.Now()
	o.begin(b)
	if err := b.awaitReason(ctx, bounded, "STALE"); err != nil {
		return err
	}
	o.stale = max(o.stale, time.Since(begin))
	if err := b.awaitServing(ctx, "memory"); err != nil {
		return err
	}
	sleep(ctx, longer)
	begin = time.Now()
	b.mend()
	if err := b.confirmed(ctx); err != nil {
		return err
	}
	o.heal = max(o.heal, time.Since(begin))
	sleep(ctx, time.Second) // until beats come again
	return nil
}

// confirmed waits until everything is as it should be.
func (b *bench) confirmed(ctx context.Context) error {
	if err := b.awaitServing(ctx, "live"); err != nil {
		return err
	}
	if err := b.awaitReason(ctx, fresh, "STATIC"); err != nil {
		return err
	}
	return b.awaitReason(ctx, bounded, "STATIC")
}

// restarts kills the sidecar, starts it without the log, so that it answers from
// its disk, gives the log back, and returns how long it takes at most until it
// is live again.
func (b *bench) restarts(ctx context.Context) (worst time.Duration, err error) {
	for round := range rounds {
		b.sidecar.Kill()
		b.cut()
		if err := b.startSidecar(); err != nil {
			return 0, err
		}
		if err := b.awaitServing(ctx, "disk"); err != nil {
			return 0, err
		}
		sleep(ctx, time.Duration(round)*200*time.Millisecond)
		begin := time.Now()
		b.mend()
		if err := b.confirmed(ctx); err != nil {
			return 0, err
		}
		worst = max(worst, time.Since(begin))
	}
	return worst, nil
}

// heal returns the longest time that any outage needed to be over.
func (all outages) heal() (worst time.Duration) {
	for _, o := range all {
		worst = max(worst, o.heal)
	}
	return worst
}

func (all outages) print() {
	fmt.Printf("worst of %d rounds; the bounded flag may be %s old\n", rounds, staleAfter)
	for _, o := range all {
		fmt.Printf("%-44s %8.3f s\n", o.name+", to the first STALE", o.stale.Seconds())
		fmt.Printf("%-44s %8.3f s\n", o.name+", from its end to live", o.heal.Seconds())
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
