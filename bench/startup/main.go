// Command startup measures how long a sidecar takes from the start of its
// process until it is ready, with the flags read from the log and from its own
// disk, how much memory it then holds, and how large the program is.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/cores"
	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/bench/startup/starts"
	"github.com/flagside/flagside/examples/flagset"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

const (
	environment = "bench"
	megabyte    = 1e6
)

func main() {
	flags := flag.Int("flags", 10_000, "how many flags the environment has")
	runs := flag.Int("runs", 9, "how many starts are measured of each kind")
	flag.Parse()
	os.Exit(measure.Run("startup", 10*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, *flags, *runs) }))
}

// bench is what all measurements of one run share.
type bench struct {
	measure.Site

	nats string
}

func run(ctx context.Context, site measure.Site, flags, runs int) error {
	b := bench{Site: site}
	publisher, err := b.publish(ctx, flags)
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return err
	}
	idle, err := b.idle(ctx)
	if err != nil {
		return err
	}
	return b.report(ctx, flags, runs, idle)
}

// logDir is where the publisher keeps the log, and the keys that it makes.
func (b *bench) logDir() string { return filepath.Join(b.Dir, "log") }

// place is where sidecars start that trust the publisher.
func (b *bench) place() starts.Place {
	return starts.Place{Binaries: b.Binaries, Environment: environment, NATS: b.nats, TrustFile: filepath.Join(b.logDir(), "trust"), Core: cores.Any}
}

// publish starts a publisher that holds the flags.
func (b *bench) publish(ctx context.Context, flags int) (*process.Process, error) {
	file := filepath.Join(b.Dir, "flags.json")
	if err := os.WriteFile(file, flagset.Generate(flags, 1), 0o600); err != nil {
		return nil, err
	}
	addresses, err := process.FreeAddresses(4)
	if err != nil {
		return nil, err
	}
	b.nats = addresses[3]
	p, err := process.Start(b.Flagside, "dev", "--environment", environment,
		"--ofrep-addr", addresses[0], "--management-addr", addresses[1], "--flagd-addr", "off", "--flagd-sync-addr", "off",
		"--admin-addr", addresses[2], "--nats-addr", b.nats, "--data-dir", b.logDir(), file)
	if err != nil {
		return nil, err
	}
	ready := process.Sidecar{Process: p, Management: addresses[1]}
	return p, ready.AwaitReady(ctx)
}

// idle returns the memory of a sidecar that never had a ruleset: it finds no server.
func (b *bench) idle(ctx context.Context) (int64, error) {
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return 0, err
	}
	s, err := b.place().Sidecar(addresses[0], "")
	if err != nil {
		return 0, err
	}
	defer s.Kill()
	select {
	case <-time.After(starts.Settle):
	case <-s.Done():
		return 0, fmt.Errorf("the sidecar ended: %s", s.Output())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.ResidentBytes()
}

func (b *bench) report(ctx context.Context, flags, runs int, idle int64) error {
	var fromLog, fromDisk figures.Durations
	var resident int64
	for i := range runs {
		dataDir := filepath.Join(b.Dir, fmt.Sprintf("sidecar-%d", i))
		for _, times := range []*figures.Durations{&fromLog, &fromDisk} {
			ready, bytes, err := b.place().Measure(ctx, dataDir)
			if err != nil {
				return err
			}
			*times = append(*times, ready)
			resident = max(resident, bytes)
		}
	}
	binary, err := os.Stat(b.Sidecar)
	if err != nil {
		return err
	}
	fmt.Printf("%d flags, %d starts each, from the start of the process until ready, in milliseconds\n", flags, runs)
	fmt.Printf("%-10s %8s %8s\n", "", "p50", "max")
	fmt.Printf("%-10s %8.1f %8.1f\n", "log", fromLog.Milliseconds(50), fromLog.Milliseconds(100))
	fmt.Printf("%-10s %8.1f %8.1f\n", "disk", fromDisk.Milliseconds(50), fromDisk.Milliseconds(100))
	figures.Print(
		figures.Figure{Name: "log_ready_ms", Value: fromLog.Milliseconds(50)},
		figures.Figure{Name: "disk_ready_ms", Value: fromDisk.Milliseconds(50)},
		figures.Figure{Name: "rss_mb", Value: float64(resident) / megabyte},
		figures.Figure{Name: "idle_rss_mb", Value: float64(idle) / megabyte},
		figures.Figure{Name: "binary_mb", Value: float64(binary.Size()) / megabyte},
	)
	return nil
}
