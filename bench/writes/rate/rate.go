// Package rate measures what changes cost at a publisher that is a process: how long one takes until it is in the log for good, and how many a second
// are possible.
package rate

import (
	"context"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

const environment = "bench"

// Options say how much is measured.
type Options struct {
	Writes   int           // one after the other
	Writers  int           // at once
	Duration time.Duration // of writing at once
	Syncs    bool          // count them afterwards, for a fifth of the time, where strace is installed
}

// Measured is what changes cost.
type Measured struct {
	Latencies figures.Durations // of one change after the other, from the request to the answer
	PerSecond float64           // by all writers together
	CPU       time.Duration     // processor time of the publisher and the servers of the log for each change of those
	Syncs     float64           // to the disk by the same, for each change; 0 if they were not counted
}

// Embedded measures a publisher with the log in its own process.
func Embedded(ctx context.Context, b process.Binaries, dir string, o Options) (Measured, error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return Measured{}, err
	}
	p, err := b.StartPublisher(ctx, filepath.Join(dir, "embedded"), addresses[0], addresses[1])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return Measured{}, err
	}
	return measured(ctx, b, p, []*process.Process{p.Process}, o)
}

// Replicated measures a publisher with the log on three servers.
func Replicated(ctx context.Context, b process.Binaries, dir string, o Options) (Measured, error) {
	servers, err := process.StartCluster(ctx, dir)
	defer servers.Kill()
	if err != nil {
		return Measured{}, err
	}
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return Measured{}, err
	}
	p, err := b.StartPublisherOn(ctx, servers, addresses[0])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return Measured{}, err
	}
	all := []*process.Process{p.Process}
	for _, n := range servers.Nodes {
		all = append(all, n.Process)
	}
	return measured(ctx, b, p, all, o)
}

// measured measures a publisher; all are its process and those of the servers of its log.
func measured(ctx context.Context, b process.Binaries, p *process.Publisher, all []*process.Process, o Options) (Measured, error) {
	if err := b.CreateEnvironment(ctx, p.Admin, environment); err != nil {
		return Measured{}, err
	}
	client, err := p.API()
	if err != nil {
		return Measured{}, err
	}
	latencies, err := oneByOne(ctx, client, o.Writes)
	if err != nil {
		return Measured{}, err
	}
	before, err := used(all)
	if err != nil {
		return Measured{}, err
	}
	made, perSecond, err := atOnce(ctx, client, "writer", o.Writers, o.Duration)
	if err != nil {
		return Measured{}, err
	}
	after, err := used(all)
	if err != nil {
		return Measured{}, err
	}
	m := Measured{Latencies: latencies, PerSecond: perSecond, CPU: (after - before) / time.Duration(made)}
	if o.Syncs {
		m.Syncs, err = syncs(ctx, all, func() (int64, error) {
			made, _, err := atOnce(ctx, client, "traced", o.Writers, o.Duration/5)
			return made, err
		})
	}
	return m, err
}

// used returns the processor time that processes have used.
func used(all []*process.Process) (sum time.Duration, err error) {
	for _, p := range all {
		one, err := p.CPU()
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
}
