package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/snapshot"
	"github.com/flagside/flagside/examples/flagset"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	environment = "bench"
	// flags is how many flags the environment has whose log is long.
	flags = 10_000
	// patience is how long a publisher may take to end in order.
	patience = 30 * time.Second
	megabyte = 1e6
	// ledgerBytes is more than the restored flags have: one author may not write as much on a day otherwise.
	ledgerBytes = "1000000000"
)

// restarted measures how long a publisher with a long log takes from the start
// of its process to ready.
func restarted(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	start := func() (*process.Publisher, error) {
		return b.StartPublisherWith(ctx, addresses[0], addresses[1], "--data-dir", filepath.Join(dir, "long"), "--nats-addr", addresses[1],
			"--ledger-bytes", ledgerBytes)
	}
	p, err := start()
	if p != nil {
		defer func() { p.Kill() }()
	}
	if err != nil {
		return nil, err
	}
	entries, err := lengthen(ctx, b, p, o.entries)
	if err != nil {
		return nil, err
	}
	var all figures.Durations
	var resident int64
	for range o.restarts {
		if err := p.Stop(patience); err != nil {
			return nil, err
		}
		begin := time.Now()
		next, err := start()
		if next != nil {
			p = next
		}
		if err != nil {
			return nil, err
		}
		all = append(all, time.Since(begin))
		if resident, err = p.ResidentBytes(); err != nil {
			return nil, err
		}
	}
	median, size := all.Milliseconds(50), float64(resident)/megabyte
	fmt.Printf("restart   %d entries, %d flags: ready after %.0f ms (median of %d), %.0f MB resident then\n", entries, flags, median, o.restarts, size)
	return []figures.Figure{
		{Name: "restart_entries", Value: float64(entries)}, {Name: "restart_ms", Value: median}, {Name: "restart_rss_mb", Value: size},
	}, nil
}

// lengthen makes a log with so many entries at least: all flags come, go and
// come again by rolling back. It returns how many there are.
func lengthen(ctx context.Context, b process.Binaries, p *process.Publisher, entries int) (uint64, error) {
	if err := b.CreateEnvironment(ctx, p.Admin, environment); err != nil {
		return 0, err
	}
	client, err := p.API()
	if err != nil {
		return 0, err
	}
	whole, err := snapshot.Of(environment, flagset.Generate(flags, 1), b.Keys())
	if err != nil {
		return 0, err
	}
	full, err := fill(ctx, client, whole)
	if err != nil {
		return 0, err
	}
	empty := changelog.Token{Epoch: full.Epoch, Revision: 2} // the epoch began with two entries
	head := full.Revision
	for target := empty; head < uint64(entries) || target == full; {
		written, err := client.RollBackEnvironment(ctx, environment, target.String(), api.ChangeHeaders{Reason: "makes the log longer"})
		if err != nil {
			return 0, fmt.Errorf("roll back to %s: %w", target, err)
		}
		now, err := changelog.ParseToken(written.Revision)
		if err != nil {
			return 0, err
		}
		head = now.Revision
		target = map[bool]changelog.Token{true: full, false: empty}[target == empty]
	}
	return head, nil
}

// fill restores a snapshot that the log knows nothing of, part by part, and returns the revision then.
func fill(ctx context.Context, client *client.Client, snapshot []byte) (changelog.Token, error) {
	for {
		done, err := client.RestoreEnvironment(ctx, environment, snapshot, api.RestoreQuery{Part: true}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "fills the environment"}, BreakGlass: true})
		if err != nil {
			return changelog.Token{}, fmt.Errorf("restore: %w", err)
		}
		if done.Remaining == 0 {
			return changelog.ParseToken(done.Environment.Revision)
		}
	}
}
