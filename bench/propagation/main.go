// Command propagation measures how long a change takes from the publisher to
// those who follow it: to the answer of a sidecar, with one server and with a
// cluster of three, and to the last of many followers. Publisher, sidecar and
// the servers of the cluster are processes; the many followers are in this one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/bench/propagation/fan"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

// options say how much is measured.
type options struct {
	changes        int // to one sidecar
	fanChanges     int // to many followers
	clusterChanges int // to one sidecar of a cluster
	curve, leaves  string
	listen         bool
	leafFollowers  int
	profile        string
}

func main() {
	var o options
	flag.IntVar(&o.changes, "changes", 500, "how many changes to measure with one sidecar; 0 leaves it out")
	flag.IntVar(&o.fanChanges, "fan-changes", 200, "how many changes to measure with 200 and with 1,000 followers; 0 leaves it out")
	flag.IntVar(&o.clusterChanges, "cluster-changes", 300, "how many changes to measure with one sidecar of a cluster; 0 leaves it out")
	flag.StringVar(&o.curve, "curve", "", "numbers of followers to measure one after another, separated by commas, instead of everything else")
	flag.BoolVar(&o.listen, "listen", false, "with --curve: listeners instead of followers, which hear the same and check nothing, for what it costs the publisher alone")
	flag.StringVar(&o.leaves, "leaves", "", "numbers of leaf nodes to divide followers among, one after another, separated by commas, instead of everything else; 0 has the followers at the hub")
	flag.IntVar(&o.leafFollowers, "leaf-followers", 1000, "how many followers to divide")
	flag.StringVar(&o.profile, "cpuprofile", "", "file for a CPU profile of the followers while 1,000 of them are measured")
	flag.Parse()
	os.Exit(measure.Run("propagation", 15*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, o) }))
}

// bench is what all measurements of one run share.
type bench struct {
	options
	measure.Site
}

func run(ctx context.Context, site measure.Site, o options) error {
	b := bench{options: o, Site: site}
	switch {
	case o.listen && o.curve == "":
		return errors.New("-listen: it belongs to -curve")
	case o.curve != "":
		return b.drawCurve(ctx)
	case o.leaves != "":
		return b.throughLeaves(ctx)
	}
	fmt.Printf("times in milliseconds\n%-62s %8s %8s %8s\n", "", "p50", "p99", "max")
	single, err := b.singleServer(ctx)
	if err != nil {
		return err
	}
	cluster, err := b.cluster(ctx)
	if err != nil {
		return err
	}
	figures.Print(append(single, cluster...)...)
	return nil
}

// singleServer measures with the server that the publisher embeds.
func (b *bench) singleServer(ctx context.Context) ([]figures.Figure, error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	publisher, err := b.StartPublisher(ctx, filepath.Join(b.Dir, "log"), addresses[0], addresses[1])
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return nil, err
	}
	one, err := b.one(ctx, publisher)
	if err != nil {
		return nil, err
	}
	many, err := b.many(ctx, publisher)
	return append(one, many...), err
}

// one measures with one sidecar.
func (b *bench) one(ctx context.Context, p *process.Publisher) ([]figures.Figure, error) {
	if b.changes == 0 {
		return nil, nil
	}
	put, ack, err := b.toSidecar(ctx, p, "one", b.changes)
	if err != nil {
		return nil, err
	}
	show("start of the PUT to the answer of a sidecar", put)
	show("200 of the PUT to the answer of a sidecar", ack)
	return []figures.Figure{
		{Name: "put_p50_ms", Value: put.Milliseconds(50)},
		{Name: "put_p99_ms", Value: put.Milliseconds(99)},
		{Name: "ack_p99_ms", Value: ack.Milliseconds(99)},
	}, nil
}

// many measures with many followers.
func (b *bench) many(ctx context.Context, p *process.Publisher) ([]figures.Figure, error) {
	if b.fanChanges == 0 {
		return nil, nil
	}
	var results []figures.Figure
	for _, run := range []fanRun{{"fan200", 200, false}, {"fan1000", 1000, false}, {"fan1000_verified", 1000, true}} {
		o := fan.Options{Size: run.size, Changes: b.fanChanges, Verify: run.verify}
		if run.name == "fan1000" {
			o.Profile = b.profile
		}
		m, err := fan.Measure(ctx, b.Binaries, p, strings.ReplaceAll(run.name, "_", "-"), o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", run.name, err)
		}
		show(fmt.Sprintf("start of the PUT to the last of %d followers%s", run.size, run.how()), m.Times)
		size := float64(run.size)
		fmt.Printf("%-62s %8.1f + %.1f\n", "  microseconds of CPU a follower and change, publisher + follower", m.Publisher.Change/size, m.Followers.Change/size)
		fmt.Printf("%-62s %8.1f + %.1f\n", "  the same for a second in which nothing changes", m.Publisher.Rest/size, m.Followers.Rest/size)
		results = append(results,
			figures.Figure{Name: run.name + "_p99_ms", Value: m.Times.Milliseconds(99)},
			figures.Figure{Name: run.name + "_publisher_us", Value: m.Publisher.All / size},
			figures.Figure{Name: run.name + "_follower_us", Value: m.Followers.All / size},
		)
		if run.name == "fan1000" {
			results = append(results,
				figures.Figure{Name: "publisher_us_per_follower", Value: m.Publisher.Change / size},
				figures.Figure{Name: "publisher_rest_us_per_follower", Value: m.Publisher.Rest / size},
			)
		}
	}
	return results, nil
}

// cluster measures with three servers that are processes of their own.
func (b *bench) cluster(ctx context.Context) ([]figures.Figure, error) {
	if b.clusterChanges == 0 {
		return nil, nil
	}
	servers, err := process.StartCluster(ctx, b.Dir)
	defer servers.Kill()
	if err != nil {
		return nil, err
	}
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	publisher, err := b.StartPublisherOn(ctx, servers, addresses[0])
	if publisher != nil {
		defer publisher.Kill()
	}
	if err != nil {
		return nil, err
	}
	put, _, err := b.toSidecar(ctx, publisher, "three", b.clusterChanges)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	show("start of the PUT to the answer, three servers", put)
	return []figures.Figure{{Name: "r3_p99_ms", Value: put.Milliseconds(99)}}, nil
}

// toSidecar measures with one sidecar in an environment of its own.
func (b *bench) toSidecar(ctx context.Context, p *process.Publisher, environment string, changes int) (put, ack figures.Durations, err error) {
	if err := b.CreateEnvironment(ctx, p.Admin, environment); err != nil {
		return nil, nil, err
	}
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return nil, nil, err
	}
	sidecar, err := b.StartSidecar(environment, p.NATS, filepath.Join(b.Dir, "sidecar-"+environment), addresses[0], addresses[1])
	if err != nil {
		return nil, nil, err
	}
	defer sidecar.Kill()
	if err := sidecar.AwaitReady(ctx); err != nil {
		return nil, nil, err
	}
	return changeToAnswer(ctx, p, sidecar, environment, changes)
}

// changeToAnswer returns, for each change, the time from the start of the PUT and from
// its answer to the changed evaluation. The feed may win over the answer: the
// second is 0 then.
func changeToAnswer(ctx context.Context, p *process.Publisher, s *process.Sidecar, environment string, changes int) (put, ack figures.Durations, err error) {
	w := watch(ctx, s.OFREP, fan.Key)
	defer w.close()
	match := ""
	for i := range changes + fan.WarmUp {
		start := time.Now()
		match, err = p.PutFlag(ctx, environment, fan.Key, match, fan.Document(i))
		if err != nil {
			return nil, nil, err
		}
		acknowledged := time.Now()
		seen, err := w.await(ctx, strconv.Itoa(i))
		if err != nil {
			return nil, nil, fmt.Errorf("change %d: %w", i, err)
		}
		if i >= fan.WarmUp {
			put = append(put, seen.Sub(start))
			ack = append(ack, max(0, seen.Sub(acknowledged)))
		}
		fan.Pause(i)
	}
	return put, ack, nil
}

// fanRun is a measurement with many followers.
type fanRun struct {
	name   string
	size   int
	verify bool // each for itself
}

func (r fanRun) how() string {
	if r.verify {
		return ", each verifying"
	}
	return ""
}

func show(what string, times figures.Durations) {
	fmt.Printf("%-62s %8.2f %8.2f %8.2f\n", fmt.Sprintf("%s (%d changes)", what, len(times)), times.Milliseconds(50), times.Milliseconds(99), times.Milliseconds(100))
}
