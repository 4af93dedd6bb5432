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
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/bench/writes/rate"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

// options say how much is measured.
type options struct {
	rate.Options

	entries  int // in the log of the publisher that is restarted
	restarts int
}

func main() {
	var o options
	flag.IntVar(&o.Writes, "writes", 1000, "how many changes are made one after the other")
	flag.IntVar(&o.Writers, "writers", 16, "how many write at once")
	flag.DurationVar(&o.Duration, "duration", 10*time.Second, "how long they do")
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
	m, err := rate.Embedded(ctx, b, dir, o.Options)
	return shown("embedded", m, o), err
}

// replicated measures a publisher with the log on three servers.
func replicated(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	m, err := rate.Replicated(ctx, b, dir, o.Options)
	return shown("r3", m, o), err
}

func shown(name string, m rate.Measured, o options) []figures.Figure {
	p50, p99 := m.Latencies.Milliseconds(50), m.Latencies.Milliseconds(99)
	fmt.Printf("%-9s %d changes one by one: p50 %.2f ms, p99 %.2f ms; %d writers at once: %.0f changes/s\n", name, o.Writes, p50, p99, o.Writers, m.PerSecond)
	return []figures.Figure{
		{Name: name + "_write_p50_ms", Value: p50}, {Name: name + "_write_p99_ms", Value: p99}, {Name: name + "_writes_per_s", Value: m.PerSecond},
	}
}
