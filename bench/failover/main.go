// Command failover measures what is felt when the server that leads a log is
// lost: how long no change can be written, how old the knowledge of a sidecar
// becomes, and how much of both is the election of another leader, for which
// nothing of flagside is needed. Publisher, sidecar and the three servers of the log are
// processes; the leader is killed, and another time paused and resumed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
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
	os.Exit(measure.Run("failover", 15*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, *rounds) }))
}

func run(ctx context.Context, site measure.Site, rounds int) error {
	servers, err := process.StartCluster(ctx, site.Dir)
	defer servers.Kill()
	if err != nil {
		return err
	}
	addresses, err := process.FreeAddresses(3)
	if err != nil {
		return err
	}
	publisher, err := site.StartPublisherOn(ctx, servers, addresses[0])
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return err
	}
	if err := site.CreateEnvironment(ctx, publisher.Admin, environment); err != nil {
		return err
	}
	sidecar, err := site.StartSidecar(environment, publisher.NATS, filepath.Join(site.Dir, "sidecar"), addresses[1], addresses[2])
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
	fmt.Printf("%d rounds, the worst of them, times in milliseconds\n%-10s %14s %14s %10s %16s %16s %10s %10s\n", rounds, "leader",
		"without write", "oldest known", "election", "write after it", "known after it", "bare write", "refused")
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
		fmt.Printf("%-10s %14.0f %14.0f %10.0f %16.0f %16.0f %10.0f %10d\n", failure.name, milliseconds(worst.write), milliseconds(worst.age),
			milliseconds(worst.election), milliseconds(worst.addedWrite), milliseconds(worst.addedAge), milliseconds(worst.bare), worst.refused)
		for name, value := range map[string]time.Duration{
			"_write_gap_ms": worst.write, "_freshness_gap_ms": worst.age, "_election_ms": worst.election,
			"_write_added_ms": worst.addedWrite, "_freshness_added_ms": worst.addedAge, "_bare_write_gap_ms": worst.bare,
		} {
			results = append(results, figures.Figure{Name: failure.name + name, Value: milliseconds(value)})
		}
	}
	slices.SortFunc(results, func(a, b figures.Figure) int { return strings.Compare(a.Name, b.Name) })
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
	o := b.observe(ctx)
	election, err := b.lose(ctx, leader, loseIt, giveBack)
	seen := o.close()
	seen.election, seen.addedWrite, seen.addedAge = election, seen.write-election, seen.age-election
	return seen, err
}

// lose takes the leader away for a while, gives it back, and returns how long the
// servers needed to elect another one.
func (b *bench) lose(ctx context.Context, leader *process.Node, loseIt, giveBack func(*process.Node) error) (time.Duration, error) {
	if err := sleep(ctx, calm); err != nil {
		return 0, err
	}
	if err := loseIt(leader); err != nil {
		return 0, err
	}
	lost := time.Now()
	if err := b.servers.AwaitNextLeader(ctx, stream, leader); err != nil {
		return 0, err
	}
	election := time.Since(lost)
	if err := sleep(ctx, outage-election); err != nil {
		return 0, err
	}
	if err := giveBack(leader); err != nil {
		return 0, err
	}
	return election, sleep(ctx, calm)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
