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
}

// Measured is what changes cost.
type Measured struct {
	Latencies figures.Durations // of one change after the other, from the request to the answer
	PerSecond float64           // by all writers together
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
	return measured(ctx, b, p, o)
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
	return measured(ctx, b, p, o)
}

func measured(ctx context.Context, b process.Binaries, p *process.Publisher, o Options) (Measured, error) {
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
	perSecond, err := atOnce(ctx, client, o.Writers, o.Duration)
	return Measured{latencies, perSecond}, err
}
