package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// gaps is the worst that was seen.
type gaps struct {
	write      time.Duration // between two changes that were written
	age        time.Duration // of what the sidecar knows
	bare       time.Duration // between two messages that the servers took without flagside
	election   time.Duration // from the loss of the leader to the next one
	addedWrite time.Duration // to the election, until a change was written
	addedAge   time.Duration // to the election; includes what was known at the loss, up to a second old
	refused    int           // attempts to write that failed or stayed undecided
}

func (g gaps) join(other gaps) gaps {
	return gaps{
		write: max(g.write, other.write), age: max(g.age, other.age), bare: max(g.bare, other.bare),
		election: max(g.election, other.election), addedWrite: max(g.addedWrite, other.addedWrite), addedAge: max(g.addedAge, other.addedAge),
		refused: g.refused + other.refused,
	}
}

// interval is the pause between two changes and between two looks at the
// sidecar, and so about the error of a gap.
const interval = 20 * time.Millisecond

// observer writes changes and looks at the age of what a sidecar knows, without
// a break.
type observer struct {
	*bench

	cancel  context.CancelFunc
	running sync.WaitGroup
	seen    gaps // each member belongs to one goroutine until close
}

func (b *bench) observe(ctx context.Context) *observer {
	ctx, cancel := context.WithCancel(ctx)
	o := &observer{bench: b, cancel: cancel}
	o.running.Go(func() { o.write(ctx) })
	o.running.Go(func() { o.watch(ctx) })
	o.running.Go(func() { o.seen.bare = b.bare.write(ctx) })
	return o
}

// close ends the observer and returns what it has seen.
func (o *observer) close() gaps {
	o.cancel()
	o.running.Wait()
	return o.seen
}

func (o *observer) write(ctx context.Context) {
	last := time.Now()
	defer func() { o.seen.write = max(o.seen.write, time.Since(last)) }() // a gap that never ended counts
	for i := 0; ctx.Err() == nil; i++ {
		switch err := o.change(ctx, i); {
		case err == nil:
			o.seen.write = max(o.seen.write, time.Since(last))
			last = time.Now()
		case ctx.Err() == nil:
			o.seen.refused++
		}
		time.Sleep(interval)
	}
}

// change puts a flag over what stands there, as a person would after looking.
func (o *observer) change(ctx context.Context, i int) error {
	const key = "failover"
	etag, err := o.publisher.FlagRevision(ctx, environment, key)
	if err != nil && i > 0 {
		return err
	}
	_, err = o.publisher.PutFlag(ctx, environment, key, etag,
		fmt.Appendf(nil, `{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"}`, i))
	return err
}

func (o *observer) watch(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(interval) {
		status, err := o.sidecar.Status(ctx)
		if err != nil {
			continue
		}
		serving, _ := status["serving"].(map[string]any)
		if age, ok := serving["ageSeconds"].(float64); ok {
			o.seen.age = max(o.seen.age, time.Duration(age*float64(time.Second)))
		}
	}
}
