//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/bench/propagation/fan"
	"github.com/flagside/flagside/bench/startup/starts"
	"github.com/flagside/flagside/bench/writes/rate"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

// The scenarios whose figures stand in the last line.
const (
	scenarioUnix      = "static-unix"
	scenarioOpen      = "static-open"
	scenarioMixed     = "mixed-1k"
	scenarioMixed10k  = "mixed-10k"
	scenarioBulk      = "bulk-1k"
	scenarioBulkKnown = "bulk-1k-304"
	scenarioBulkNew   = "bulk-1k-new"
	scenarioGRPC      = "grpc"
)

// measureAll measures everything that the last line tells. What needs both cores comes first: later on, this process has one of them only.
func (o *options) measureAll(ctx context.Context, site measure.Site, scenarios []scenario, others []peer) error {
	shared, err := measureShared(ctx, site, o.seconds)
	if err != nil {
		return err
	}
	w, err := apart(ctx, site, scenarios)
	defer w.close()
	if err != nil {
		return err
	}
	r, err := w.measureScenarios(ctx, scenarios, others, o.rounds, o.amount())
	if err != nil {
		return err
	}
	started, err := w.measureStarts(ctx, o.rounds)
	if err != nil {
		return err
	}
	r.print(os.Stdout)
	started.print()
	shared.print()
	binary, err := os.Stat(w.Binaries.Sidecar)
	if err != nil {
		return err
	}
	figures.Print(closing(r, started, shared, float64(binary.Size())/megabyte)...)
	return nil
}

// closing returns the figures of the last line, in its order.
func closing(r *results, s started, shared shared, binary float64) []figures.Figure {
	of := func(scenario string) visited { return visited{scenario, nameSidecar} }
	return []figures.Figure{
		{Name: "single_ratio", Value: r.ratio(of(askStatic), perSecond)},
		{Name: "cpu_ratio", Value: r.ratio(of(askStatic), cpu)},
		{Name: "cpu_ratio_mixed", Value: r.ratio(of(scenarioMixed), cpu)},
		{Name: "uds_ratio", Value: r.ratio(of(scenarioUnix), perSecond)},
		{Name: "p99_ratio", Value: r.ratio(of(scenarioOpen), p99)},
		{Name: "bulk_ratio", Value: r.ratio(of(scenarioBulk), perSecond)},
		{Name: "bulk304_ratio", Value: r.ratio(of(scenarioBulkKnown), perSecond)},
		{Name: "bulk_new_per_s", Value: r.median(of(scenarioBulkNew), perSecond)},
		{Name: "grpc_per_s", Value: r.median(of(scenarioGRPC), perSecond)},
		{Name: "idle_mb", Value: s.idle},
		{Name: "rss1k_mb", Value: r.median(of(scenarioMixed), resident)},
		{Name: "rss10k_mb", Value: r.median(of(scenarioMixed10k), resident)},
		{Name: "start10k_ms", Value: s.ready10k},
		{Name: "start100k_ms", Value: s.ready100k},
		{Name: "binary_mb", Value: binary},
		{Name: "fanout1000_p99_ms", Value: shared.fan.Times.Milliseconds(99)},
		{Name: "writes_per_s", Value: shared.embedded.PerSecond},
		{Name: "writes_r3_per_s", Value: shared.replicated.PerSecond},
	}
}

// started is what the starts of sidecars took from their disks, on one core.
type started struct {
	idle                  float64 // MB, with 25 flags
	ready10k, ready100k   float64 // ms
	memory10k, memory100k float64 // MB, without any request so far
}

func (w *world) measureStarts(ctx context.Context, runs int) (s started, err error) {
	if s.idle, _, err = w.start(ctx, scenario{Flags: 25}, runs); err != nil {
		return s, err
	}
	if s.memory10k, s.ready10k, err = w.start(ctx, scenario{Flags: 10_000}, runs); err != nil {
		return s, err
	}
	s.memory100k, s.ready100k, err = w.start(ctx, scenario{Flags: 100_000}, runs)
	return s, err
}

// start returns the medians of several starts with the flags of a scenario: memory in MB, and the time until ready in ms.
func (w *world) start(ctx context.Context, like scenario, runs int) (memory, ready float64, err error) {
	if err := w.prepare(ctx, like.environment(), like.Flags); err != nil {
		return 0, 0, err
	}
	place := starts.Place{
		Binaries: w.Binaries, Environment: like.environment(), NATS: w.nats(like.environment()), TrustFile: filepath.Join(w.Keys(), "trust"), Core: w.core,
	}
	var times, sizes []float64
	for range runs {
		took, size, err := place.Measure(ctx, w.dataDir(like.environment()))
		if err != nil {
			return 0, 0, fmt.Errorf("start with %d flags: %w", like.Flags, err)
		}
		times = append(times, float64(took)/float64(time.Millisecond))
		sizes = append(sizes, float64(size)/megabyte)
	}
	return median(sizes), median(times), nil
}

func (s started) print() {
	fmt.Printf("\nfrom the start of the process to ready, from disk, on one core; and resident memory after %s, before any request\n", starts.Settle)
	fmt.Printf("  %-14s %8s    %6.1f MB\n", "25 flags", "", s.idle)
	fmt.Printf("  %-14s %5.0f ms    %6.1f MB\n", "10,000 flags", s.ready10k, s.memory10k)
	fmt.Printf("  %-14s %5.0f ms    %6.1f MB\n", "100,000 flags", s.ready100k, s.memory100k)
}

// shared is what is measured on all cores.
type shared struct {
	embedded, replicated rate.Measured
	fan                  fan.Measured
}

// How much of it is measured.
const (
	writers    = 16
	followers  = 1000
	fanChanges = 200
)

// measureShared measures writes for five times as long as anything else.
func measureShared(ctx context.Context, site measure.Site, seconds float64) (s shared, err error) {
	o := rate.Options{Writers: writers, Duration: time.Duration(5 * seconds * float64(time.Second))}
	if s.embedded, err = rate.Embedded(ctx, site.Binaries, site.Dir, o); err != nil {
		return s, fmt.Errorf("writes: %w", err)
	}
	if s.replicated, err = rate.Replicated(ctx, site.Binaries, site.Dir, o); err != nil {
		return s, fmt.Errorf("writes on three servers: %w", err)
	}
	s.fan, err = measureFan(ctx, site)
	return s, err
}

func measureFan(ctx context.Context, site measure.Site) (fan.Measured, error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return fan.Measured{}, err
	}
	p, err := site.StartPublisher(ctx, filepath.Join(site.Dir, "fan"), addresses[0], addresses[1])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return fan.Measured{}, err
	}
	return fan.Measure(ctx, site.Binaries, p, "fan", fan.Options{Size: followers, Changes: fanChanges})
}

func (s shared) print() {
	fmt.Printf("\nwith all cores\n")
	fmt.Printf("  a change, from the start of the PUT to the last of %d followers (%d changes): p50 %.1f ms, p99 %.1f ms; publisher %.1f us a follower\n",
		followers, fanChanges, s.fan.Times.Milliseconds(50), s.fan.Times.Milliseconds(99), s.fan.Publisher.Change/followers)
	fmt.Printf("  changes of %d writers: %.0f/s on one server, %.0f/s on three\n", writers, s.embedded.PerSecond, s.replicated.PerSecond)
}
