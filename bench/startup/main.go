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

const megabyte = 1e6

func main() {
	flags := flag.Int("flags", 10_000, "how many flags the environment has")
	runs := flag.Int("runs", 9, "how many starts are measured of each kind")
	flag.Parse()
	os.Exit(measure.Run("startup", 10*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, *flags, *runs) }))
}

// bench is what all measurements of one run share.
type bench struct {
	measure.Site

	place starts.Place
}

func run(ctx context.Context, site measure.Site, flags, runs int) error {
	publisher, place, err := starts.Publish(ctx, site.Binaries, filepath.Join(site.Dir, "log"), flagset.Generate(flags, 1), flags, cores.Any)
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return err
	}
	b := bench{Site: site, place: place}
	idle, err := b.idle(ctx)
	if err != nil {
		return err
	}
	return b.report(ctx, flags, runs, idle)
}

// idle returns the memory of a sidecar that never had a ruleset: it finds no server.
func (b *bench) idle(ctx context.Context) (int64, error) {
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return 0, err
	}
	s, err := b.place.Sidecar(addresses[0], "")
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
			ready, bytes, err := b.place.Measure(ctx, dataDir)
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
