// Command fleet measures what it takes to know who serves what and who uses what: how long it takes until a change is known to be served
// everywhere, in fleets of growing size, what reports cost a publisher, whether a fleet is ever said to serve what it does not, and whether
// evaluations that clients counted are those that the publisher counted in the end. The publisher and the
// sidecars are processes. The largest fleet has real sidecars and, beside them, claimed ones: these send the reports of a sidecar, and nothing else.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	environment = "prod"
	flagKey     = "checkout"
)

// options say how much is measured.
type options struct {
	changes     int // in a fleet of each size
	evaluations int // at each real sidecar
	reports     int // of claimed sidecars, for what one costs
	requests    int // with and without counts
}

func main() {
	var o options
	flag.IntVar(&o.changes, "changes", 100, "how many changes to measure in a fleet of each size")
	flag.IntVar(&o.evaluations, "evaluations", 500, "how many evaluations each real sidecar answers beside those of changes")
	flag.IntVar(&o.reports, "reports", 50_000, "how many reports to measure")
	flag.IntVar(&o.requests, "requests", 200_000, "how many requests to measure with counts, and without")
	flag.Parse()
	os.Exit(measure.Run("fleet", 20*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, o) }))
}

// bench is what all measurements of one run share.
type bench struct {
	options
	measure.Site

	publisher *process.Publisher
	client    *client.Client
	trust     changelog.Trust

	sidecars []*realSidecar
	claimed  []*crowd
	changed  int    // how many changes were made
	revision string // of the flag
	falsely  int    // sidecars that were said to serve a change and did not
}

func run(ctx context.Context, site measure.Site, o options) error {
	b := &bench{options: o, Site: site}
	defer b.close()
	if err := b.start(ctx); err != nil {
		return err
	}
	constants, err := constants() // before anything else is in the heap
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %10s %10s %10s %14s %14s %10s\n", "from PUT to served by all", "p50 ms", "p99 ms", "max ms", "publisher", "publisher", "acks")
	fmt.Printf("%-28s %10s %10s %10s %14s %14s %10s\n", "", "", "", "", "us a sidecar", "MB", "a change")
	var largest growth
	for _, size := range sizes {
		if largest, err = b.growAndPrint(ctx, size, b.changes); err != nil {
			return err
		}
	}
	sampled, err := b.growAndPrint(ctx, beyond, beyondChanges)
	if err != nil {
		return err
	}
	report, err := b.reportCost(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\na report costs a publisher with its server %.1f us, and is %d bytes on the wire; an acknowledgement is %d; a sidecar takes %.0f bytes of the table\n",
		report, constants.report, constants.ack, constants.row)
	counted, err := b.conserve(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d evaluations counted by clients, %d by the publisher, %d lost\n", counted.asked, counted.folded, counted.lost)
	cost, err := b.countCost(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("counting an evaluation takes %.1f ns; a request %.2f us of processor time with counts, %.2f us without (median of %d rounds)\n",
		cost.count, cost.with, cost.without, rounds)
	figures.Print(
		figures.Figure{Name: "sidecars", Value: float64(largest.size.real + largest.size.claimed)},
		figures.Figure{Name: "wait_p99_ms", Value: largest.times.Milliseconds(99)},
		figures.Figure{Name: "false_convergence", Value: float64(b.falsely)},
		figures.Figure{Name: "counted", Value: float64(counted.asked)},
		figures.Figure{Name: "folded", Value: float64(counted.folded)},
		figures.Figure{Name: "lost", Value: float64(counted.lost)},
		figures.Figure{Name: "count_ns", Value: cost.count},
		figures.Figure{Name: "request_pct", Value: 100 * (cost.with/cost.without - 1)},
		figures.Figure{Name: "publisher_us_per_report", Value: report},
		figures.Figure{Name: "table_bytes_per_sidecar", Value: constants.row},
		figures.Figure{Name: "report_bytes", Value: float64(constants.report)},
		figures.Figure{Name: "ack_bytes", Value: float64(constants.ack)},
		figures.Figure{Name: "acks_of_5000", Value: sampled.acks},
	)
	return b.verdict(counted)
}

// growAndPrint is grow, and prints what it found.
func (b *bench) growAndPrint(ctx context.Context, s size, changes int) (growth, error) {
	found, err := b.grow(ctx, s, changes)
	if err != nil {
		return found, fmt.Errorf("%d sidecars: %w", s.real+s.claimed, err)
	}
	fmt.Println(found)
	return found, nil
}

// verdict is an error if what must never be was.
func (b *bench) verdict(c conservation) error {
	if b.falsely > 0 {
		return fmt.Errorf("%d times a sidecar was said to serve a change that it did not", b.falsely)
	}
	if c.asked != c.folded || c.lost > 0 {
		return fmt.Errorf("%d evaluations were counted by clients, %d by the publisher, which says that %d are lost", c.asked, c.folded, c.lost)
	}
	return nil
}

// start starts the publisher and writes the flag.
func (b *bench) start(ctx context.Context) error {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return err
	}
	if b.publisher, err = b.StartPublisher(ctx, filepath.Join(b.Dir, "data"), addresses[0], addresses[1]); err != nil {
		return err
	}
	if err := b.CreateEnvironment(ctx, b.publisher.Admin, environment); err != nil {
		return err
	}
	if b.client, err = b.publisher.API(); err != nil {
		return err
	}
	if b.trust, err = b.Trust(); err != nil {
		return err
	}
	return b.change(ctx)
}

// change writes the flag once more. Its value is the number of the change.
func (b *bench) change(ctx context.Context) (err error) {
	body := fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":%d,"off":0},"defaultVariant":"on"}`, b.changed+1)
	if b.revision, err = b.publisher.PutFlag(ctx, environment, flagKey, b.revision, body); err == nil {
		b.changed++
	}
	return err
}

func (b *bench) close() {
	for _, c := range b.claimed {
		c.close()
	}
	for _, s := range b.sidecars {
		s.Kill()
	}
	if b.publisher != nil {
		b.publisher.Kill()
	}
}
