// Command writes measures what a change costs: how long one takes until it is in
// the log for good, how many a second are possible, both with the embedded log
// (SyncAlways) and with one on three servers, and how long a publisher takes to
// be ready again when its log is long. All programs are processes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/client"
)

const environment = "bench"

// options say how much is measured.
type options struct {
	writes   int           // one after the other
	writers  int           // at once
	duration time.Duration // of writing at once
	entries  int           // in the log of the publisher that is restarted
	restarts int
}

func main() {
	var o options
	flag.IntVar(&o.writes, "writes", 1000, "how many changes are made one after the other")
	flag.IntVar(&o.writers, "writers", 16, "how many write at once")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long they do")
	flag.IntVar(&o.entries, "entries", 100_000, "how long the log of the publisher is that is restarted")
	flag.IntVar(&o.restarts, "restarts", 5, "how often it is restarted")
	flag.Parse()
	os.Exit(measure.Run("writes", 15*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, o) }))
}

func run(ctx context.Context, site measure.Site, o options) error {
	var results []figures.Figure
	for _, part := range []func(context.Context, process.Binaries, string, options) ([]figures.Figure, error){embedded, replicated, restarted} {
		found, err := part(ctx, site.Binaries, site.Dir, o)
		if err != nil {
			return err
		}
		results = append(results, found...)
	}
	figures.Print(results...)
	return nil
}

// embedded measures a publisher with the log in its own process.
func embedded(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	p, err := b.StartPublisher(ctx, filepath.Join(dir, "embedded"), addresses[0], addresses[1])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return nil, err
	}
	return measured(ctx, b, p, "embedded", o)
}

// replicated measures a publisher with the log on three servers.
func replicated(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	servers, err := process.StartCluster(ctx, dir)
	defer servers.Kill()
	if err != nil {
		return nil, err
	}
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	p, err := b.StartPublisherOn(ctx, servers, addresses[0])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return nil, err
	}
	return measured(ctx, b, p, "r3", o)
}

func measured(ctx context.Context, b process.Binaries, p *process.Publisher, name string, o options) ([]figures.Figure, error) {
	if err := b.CreateEnvironment(ctx, p.Admin, environment); err != nil {
		return nil, err
	}
	client, err := clientOf(p)
	if err != nil {
		return nil, err
	}
	latencies, err := oneByOne(ctx, client, o.writes)
	if err != nil {
		return nil, err
	}
	rate, err := atOnce(ctx, client, o.writers, o.duration)
	if err != nil {
		return nil, err
	}
	p50, p99 := latencies.Milliseconds(50), latencies.Milliseconds(99)
	fmt.Printf("%-9s %d changes one by one: p50 %.2f ms, p99 %.2f ms; %d writers at once: %.0f changes/s\n", name, o.writes, p50, p99, o.writers, rate)
	return []figures.Figure{
		{Name: name + "_write_p50_ms", Value: p50}, {Name: name + "_write_p99_ms", Value: p99}, {Name: name + "_writes_per_s", Value: rate},
	}, nil
}

// clientOf returns a client with the rights of the publisher's first token.
func clientOf(p *process.Publisher) (*client.Client, error) {
	token, err := os.ReadFile(p.TokenFile)
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{Address: "http://" + p.Admin, Token: strings.TrimSpace(string(token))})
}
