// Command writes measures what a change costs: how long one takes until it is in
// the log for good, how many a second are possible, both with the embedded log
// (SyncAlways) and with one on three servers, how long a publisher takes to be
// ready again when its log is long, and how long it takes to apply files with
// thousands of flags. All programs are processes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
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
	applies  int // of 10,000 flags, in each way
	only     string
}

// partsOf are what is measured, by name.
func partsOf() []part {
	return []part{{"embedded", embedded}, {"replicated", replicated}, {"apply", applied}, {"restart", restarted}}
}

type part struct {
	name    string
	measure func(context.Context, process.Binaries, string, options) ([]figures.Figure, error)
}

func main() {
	var o options
	flag.IntVar(&o.Writes, "writes", 1000, "how many changes are made one after the other")
	flag.IntVar(&o.Writers, "writers", 16, "how many write at once")
	flag.DurationVar(&o.Duration, "duration", 10*time.Second, "how long they do")
	flag.IntVar(&o.entries, "entries", 100_000, "how long the log of the publisher is that is restarted")
	flag.IntVar(&o.restarts, "restarts", 5, "how often it is restarted")
	flag.IntVar(&o.applies, "applies", 3, "how often 10,000 flags are applied in each way")
	flag.StringVar(&o.only, "only", "", "measure one part only: embedded, replicated, apply or restart")
	flag.Parse()
	o.Syncs = true
	os.Exit(measure.Run("writes", 15*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, o) }))
}

func run(ctx context.Context, site measure.Site, o options) error {
	var results []figures.Figure
	if o.only != "" && !slices.ContainsFunc(partsOf(), func(p part) bool { return p.name == o.only }) {
		return fmt.Errorf("-only: no part is named %q", o.only)
	}
	for _, p := range partsOf() {
		if o.only != "" && o.only != p.name {
			continue
		}
		found, err := p.measure(ctx, site.Binaries, site.Dir, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		results = append(results, found...)
	}
	figures.Print(results...)
	return nil
}

// embedded measures a publisher with the log in its own process.
func embedded(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	m, err := rate.Embedded(ctx, b, dir, o.Options)
	if err != nil {
		return nil, err
	}
	plain, err := rate.Plain(dir, entryBytes, plainTime)
	if err != nil {
		return nil, err
	}
	fmt.Printf("plain     a file that grows by %d bytes: %.0f syncs/s, of which the publisher's changes are %.2f\n", entryBytes, plain, m.PerSecond/plain)
	return append(shown("embedded", m, o), figures.Figure{Name: "plain_syncs_per_s", Value: plain}, figures.Figure{Name: "embedded_write_ratio", Value: m.PerSecond / plain}), nil
}

const (
	// entryBytes is about what the log grows by with one change of those that are made.
	entryBytes = 1050
	plainTime  = 3 * time.Second
)

// replicated measures a publisher with the log on three servers.
func replicated(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	m, err := rate.Replicated(ctx, b, dir, o.Options)
	if err != nil {
		return nil, err
	}
	return shown("r3", m, o), nil
}

func shown(name string, m rate.Measured, o options) []figures.Figure {
	p50, p99 := m.Latencies.Milliseconds(50), m.Latencies.Milliseconds(99)
	fmt.Printf("%-9s %d changes one by one: p50 %.2f ms, p99 %.2f ms; %d writers at once: %.0f changes/s; %.2f ms of processor time and %.2f syncs each\n",
		name, o.Writes, p50, p99, o.Writers, m.PerSecond, float64(m.CPU)/float64(time.Millisecond), m.Syncs)
	return []figures.Figure{
		{Name: name + "_write_p50_ms", Value: p50},
		{Name: name + "_write_p99_ms", Value: p99},
		{Name: name + "_writes_per_s", Value: m.PerSecond},
		{Name: name + "_write_cpu_ms", Value: float64(m.CPU) / float64(time.Millisecond)},
		{Name: name + "_write_syncs", Value: m.Syncs},
	}
}
