// Command failover measures what is felt when the server that leads a log is
// lost: how long no change can be written, and how old the knowledge of a
// sidecar becomes. Publisher, sidecar and the three servers of the log are
// processes; the leader is killed, and another time paused and resumed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/figures"
	"github.com/flagside/flagside/e2e/process"
)

const (
	environment = "bench"
	stream      = "FLAGS_" + environment
)

const (
	// calm is how long nothing happens before and after a failure.
	calm = 4 * time.Second
	// outage is how long a leader is gone: longer than the others wait until
	// they elect another one, which is 4 to 9 seconds.
	outage = 12 * time.Second
)

func main() {
	rounds := flag.Int("rounds", 3, "how many leaders are killed and how many are paused")
	flag.Parse()
	if err := run(context.Background(), *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "flagside-failover-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries, err := process.Build(ctx, dir)
	if err != nil {
		return err
	}
	servers, err := process.StartCluster(ctx, dir)
	defer servers.Kill()
	if err != nil {
		return err
	}
	addresses, err := process.FreeAddresses(3)
	if err != nil {
		return err
	}
	publisher, err := binaries.StartPublisherOn(ctx, servers, addresses[0])
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return err
	}
	if err := binaries.CreateEnvironment(ctx, publisher.Admin, environment); err != nil {
		return err
	}
	sidecar, err := binaries.StartSidecar(environment, publisher.NATS, filepath.Join(dir, "sidecar"), addresses[1], addresses[2])
	if err != nil {
		return err
	}
	defer sidecar.Kill()
	if err := sidecar.AwaitReady(ctx); err != nil {
		return err
	}
	b, err := connectBare(ctx, servers)
	defer b.close()
	if err != nil {
		return err
	}
	return (&bench{servers: servers, publisher: publisher, sidecar: sidecar, bare: b}).report(ctx, rounds)
}

// bench is what is measured.
type bench struct {
	servers   *process.Cluster
	publisher *process.Publisher
	sidecar   *process.Sidecar
	bare      *bare
}

// failures are the ways in which a leader is lost.
var failures = []struct {
	name       string
	lose, back func(*process.Node) error
}{
	{"killed", func(n *process.Node) error { n.Kill(); return nil }, (*process.Node).Start},
	{"paused", (*process.Node).Pause, (*process.Node).Resume},
}

func (b *bench) report(ctx context.Context, rounds int) error {
	fmt.Printf("%d rounds, times in milliseconds\n%-10s %22s %22s %22s %10s %10s\n",
		rounds, "leader", "longest without write", "of the servers alone", "oldest knowledge", "written", "refused")
	var results []figures.Figure
	for _, failure := range failures {
		var worst gaps
		for range rounds {
			seen, err := b.round(ctx, failure.lose, failure.back)
			if err != nil {
				return err
			}
			worst = worst.join(seen)
		}
		write, bare, age := milliseconds(worst.write), milliseconds(worst.bare), milliseconds(worst.age)
		fmt.Printf("%-10s %22.0f %22.0f %22.0f %10d %10d\n", failure.name, write, bare, age, worst.written, worst.refused)
		results = append(results,
			figures.Figure{Name: failure.name + "_write_gap_ms", Value: write},
			figures.Figure{Name: failure.name + "_bare_write_gap_ms", Value: bare},
			figures.Figure{Name: failure.name + "_freshness_gap_ms", Value: age})
	}
	figures.Print(results...)
	return nil
}

// round loses the server that leads both streams once.
func (b *bench) round(ctx context.Context, loseIt, giveBack func(*process.Node) error) (gaps, error) {
	leader, err := b.servers.Leader(ctx, stream)
	if err != nil {
		return gaps{}, err
	}
	if err := b.bare.leadFrom(ctx, b.servers, leader); err != nil {
		return gaps{}, err
	}
	w := b.observe(ctx)
	err = lose(ctx, leader, loseIt, giveBack)
	return w.close(), err
}

// lose takes the leader away for a while and gives it back.
func lose(ctx context.Context, leader *process.Node, lose, back func(*process.Node) error) error {
	for _, step := range []struct {
		do  func(*process.Node) error
		and time.Duration
	}{{nothing, calm}, {lose, outage}, {back, calm}} {
		if err := step.do(leader); err != nil {
			return err
		}
		select {
		case <-time.After(step.and):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func nothing(*process.Node) error { return nil }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
