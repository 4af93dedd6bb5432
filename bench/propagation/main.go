// Command propagation measures how long a change takes from the publisher to an
// application: it runs a publisher and a sidecar as processes, writes changes
// over the admin API, and asks the sidecar for the flag until its answer has
// changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/flagside/flagside/bench/figures"
	"github.com/flagside/flagside/e2e/process"
)

const (
	environment = "bench"
	flagKey     = "propagation"
)

func main() {
	changes := flag.Int("changes", 500, "how many changes to measure")
	flag.Parse()
	if err := run(context.Background(), *changes); err != nil {
		fmt.Fprintln(os.Stderr, "propagation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, changes int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "flagside-propagation-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	binaries, err := process.Build(ctx, dir)
	if err != nil {
		return err
	}
	addresses, err := process.FreeAddresses(4)
	if err != nil {
		return err
	}
	publisher, err := binaries.StartPublisher(ctx, filepath.Join(dir, "log"), addresses[0], addresses[1])
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return err
	}
	if err := binaries.CreateEnvironment(ctx, publisher.Admin, environment); err != nil {
		return err
	}
	sidecar, err := binaries.StartSidecar(environment, publisher.NATS, filepath.Join(dir, "sidecar-data"), addresses[2], addresses[3])
	if err != nil {
		return err
	}
	defer sidecar.Kill()
	if err := sidecar.AwaitReady(ctx); err != nil {
		return err
	}
	put, ack, err := measure(ctx, publisher, sidecar, changes)
	if err != nil {
		return err
	}
	report(put, ack)
	return nil
}

// measure returns, for each change, the time from the start of the PUT and from
// its answer to the changed evaluation. The feed may win over the answer: the
// second is 0 then.
func measure(ctx context.Context, p *process.Publisher, s *process.Sidecar, changes int) (put, ack figures.Durations, err error) {
	w := watch(ctx, s.OFREP, flagKey)
	defer w.close()
	match := ""
	for i := range changes + warmUp {
		document := fmt.Appendf(nil, `{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"}`, i)
		start := time.Now()
		match, err = p.PutFlag(ctx, environment, flagKey, match, document)
		if err != nil {
			return nil, nil, err
		}
		acknowledged := time.Now()
		seen, err := w.await(ctx, strconv.Itoa(i))
		if err != nil {
			return nil, nil, fmt.Errorf("change %d: %w", i, err)
		}
		if i >= warmUp {
			put = append(put, seen.Sub(start))
			ack = append(ack, max(0, seen.Sub(acknowledged)))
		}
		pause(i)
	}
	return put, ack, nil
}

// warmUp is how many first changes are not counted: they open connections.
const warmUp = 20

// pause spreads the changes unevenly over time, so that they do not fall in
// step with any period of the programs.
func pause(i int) { time.Sleep(time.Duration(5+i%7) * time.Millisecond) }

func report(put, ack figures.Durations) {
	fmt.Printf("%d changes, one sidecar process, times in milliseconds\n", len(put))
	fmt.Printf("%-34s %8s %8s %8s\n", "", "p50", "p99", "max")
	for _, row := range []struct {
		name  string
		times figures.Durations
	}{{"start of the PUT to the answer", put}, {"200 of the PUT to the answer", ack}} {
		fmt.Printf("%-34s %8.2f %8.2f %8.2f\n", row.name,
			row.times.Milliseconds(50), row.times.Milliseconds(99), row.times.Milliseconds(100))
	}
	figures.Print(
		figures.Figure{Name: "put_p50_ms", Value: put.Milliseconds(50)},
		figures.Figure{Name: "put_p99_ms", Value: put.Milliseconds(99)},
		figures.Figure{Name: "ack_p99_ms", Value: ack.Milliseconds(99)},
	)
}
