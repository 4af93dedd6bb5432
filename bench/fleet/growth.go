package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
)

// size is how many sidecars a fleet has.
type size struct{ real, claimed int }

// sizes are the fleets that are measured, one after the other: each begins with the sidecars of the one before.
var sizes = []size{{10, 0}, {50, 0}, {200, 0}, {200, 800}}

// beyond is a fleet in which not everyone acknowledges changes: about a thousand do, and the others are known from their reports. So each change takes
// seconds until all are known to serve it, and few are made.
var beyond = size{200, 4800}

const beyondChanges = 5

// apart is the time between two changes: longer than sidecars may keep an acknowledgement, which saves some when changes come one after the other.
const apart = 100 * time.Millisecond

// growth is what was measured in a fleet of one size.
type growth struct {
	size      size
	times     figures.Durations // from the start of each PUT until wait had the answer that all serve it
	processor float64           // microseconds of the publisher's for a change and a sidecar
	memory    int64             // resident, in bytes
	acks      float64           // of a change
}

// String is a row of the table.
func (g growth) String() string {
	name := fmt.Sprintf("%d sidecars", g.size.real+g.size.claimed)
	if g.size.claimed > 0 {
		name += fmt.Sprintf(", %d claimed", g.size.claimed)
	}
	return fmt.Sprintf("%-28s %10.1f %10.1f %10.1f %14.1f %14.1f %10.0f", name, g.times.Milliseconds(50), g.times.Milliseconds(99), g.times.Milliseconds(100),
		g.processor, float64(g.memory)/1e6, g.acks)
}

// grow brings the fleet to a size and makes changes.
func (b *bench) grow(ctx context.Context, s size, changes int) (growth, error) {
	g := growth{size: s}
	started, err := b.startSidecars(ctx, s.real-len(b.sidecars))
	b.sidecars = append(b.sidecars, started...)
	if err != nil {
		return g, err
	}
	if more := s.claimed - b.claimedSidecars(); more > 0 {
		claimed, err := b.startCrowd(ctx, more)
		b.claimed = append(b.claimed, claimed)
		if err != nil {
			return g, err
		}
	}
	everyone := s.real + s.claimed
	err = process.Await(ctx, "waiting for the fleet", func() bool {
		found, err := b.client.Convergence(ctx, environment, "last", api.ConvergenceQuery{Percent: 100, WaitMs: 1000})
		return err == nil && found.Converged && found.Of == everyone
	})
	if err != nil {
		return g, err
	}
	acks, err := b.acks(ctx)
	if err != nil {
		return g, err
	}
	before, err := b.publisher.CPU()
	if err != nil {
		return g, err
	}
	for range changes {
		time.Sleep(apart)
		took, err := b.timeChange(ctx, everyone)
		if err != nil {
			return g, err
		}
		g.times = append(g.times, took)
	}
	after, err := b.publisher.CPU()
	if err != nil {
		return g, err
	}
	g.processor = float64((after - before).Microseconds()) / float64(changes*everyone)
	now, err := b.acks(ctx)
	if err != nil {
		return g, err
	}
	g.acks = (now - acks) / float64(changes)
	g.memory, err = b.publisher.ResidentBytes()
	return g, err
}

// acks returns how many acknowledgements the publisher has had.
func (b *bench) acks(ctx context.Context) (float64, error) {
	return b.publisherMetric(ctx, `flagside_fleet_reports_total{environment="prod",kind="ack"}`)
}

// claimedSidecars returns how many are claimed.
func (b *bench) claimedSidecars() (n int) {
	for _, c := range b.claimed {
		n += len(c.boots)
	}
	return n
}

// timeChange makes a change and waits until the publisher says that all serve it. Then it asks each real sidecar.
func (b *bench) timeChange(ctx context.Context, everyone int) (time.Duration, error) {
	start := time.Now()
	if err := b.change(ctx); err != nil {
		return 0, err
	}
	found, err := b.client.Convergence(ctx, environment, "last", api.ConvergenceQuery{Percent: 100, WaitMs: 30_000})
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	if !found.Converged || found.Served != everyone {
		return 0, fmt.Errorf("change %d is served by %d of %d sidecars after %s: %+v", b.changed, found.Served, everyone, took, found.Stragglers)
	}
	for _, s := range b.sidecars {
		value, err := s.evaluate(ctx)
		if err != nil {
			return 0, err
		}
		if value < b.changed {
			b.falsely++
		}
	}
	return took, nil
}

// reportCost returns the processor time, in microseconds, that a publisher and its server take for a report of a claimed sidecar.
func (b *bench) reportCost(ctx context.Context) (float64, error) {
	if len(b.claimed) == 0 {
		return 0, errors.New("no sidecars are claimed")
	}
	taken := func() (float64, error) {
		return b.publisherMetric(ctx, `flagside_fleet_reports_total{environment="prod",kind="state"}`)
	}
	first, err := taken()
	if err != nil {
		return 0, err
	}
	before, err := b.publisher.CPU()
	if err != nil {
		return 0, err
	}
	if err := b.claimed[0].report(ctx, b.reports); err != nil {
		return 0, err
	}
	var last float64
	err = process.Await(ctx, "waiting for the reports", func() bool {
		last, err = taken()
		return err == nil && last >= first+float64(b.reports)
	})
	if err != nil {
		return 0, err
	}
	after, err := b.publisher.CPU()
	return float64((after - before).Microseconds()) / (last - first), err
}
