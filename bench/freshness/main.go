// Command freshness measures what a sidecar's answers are worth when its log is
// taken away: how soon they say that they are stale, how soon they are confirmed
// again, what it costs to have one confirmed, and what an answer costs while
// nothing can be confirmed. Publisher and sidecar are processes on loopback, with
// a network between them that can be broken.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

const environment = "bench"

// The flags, by what they demand.
const (
	cached  = "cached"  // nothing
	bounded = "bounded" // to be no older than staleAfter
	fresh   = "fresh"   // to be confirmed
)

// staleAfter is the least that a flag can demand.
const staleAfter = 3 * time.Second

var flags = map[string]string{
	cached:  `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`,
	bounded: `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","maxStaleness":"3s"}`,
	fresh:   `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","freshness":"always_fresh","onUnreachable":"error"}`,
}

func main() {
	os.Exit(measure.Run("freshness", 10*time.Minute, run))
}

func run(ctx context.Context, site measure.Site) error {
	b, err := begin(ctx, site)
	defer b.close()
	if err != nil {
		return err
	}
	return b.report(ctx)
}

// bench is a publisher, a network, and a sidecar behind it.
type bench struct {
	measure.Site

	addresses []string
	publisher *process.Publisher
	network   *faultnet.Proxy
	sidecar   *process.Sidecar
}

func begin(ctx context.Context, site measure.Site) (*bench, error) {
	b := &bench{Site: site}
	var err error
	if b.addresses, err = process.FreeAddresses(4); err != nil {
		return b, err
	}
	if b.publisher, err = b.StartPublisher(ctx, filepath.Join(b.Dir, "publisher-data"), b.addresses[0], b.addresses[1]); err != nil {
		return b, err
	}
	if err := b.CreateEnvironment(ctx, b.publisher.Admin, environment); err != nil {
		return b, err
	}
	for key, document := range flags {
		if _, err := b.publisher.PutFlag(ctx, environment, key, "", []byte(document)); err != nil {
			return b, err
		}
	}
	if b.network, err = faultnet.Listen(b.publisher.NATS); err != nil {
		return b, err
	}
	if err := b.startSidecar(); err != nil {
		return b, err
	}
	return b, b.awaitServing(ctx, "live")
}

func (b *bench) startSidecar() (err error) {
	b.sidecar, err = b.StartSidecar(environment, b.network.Addr(), filepath.Join(b.Dir, "sidecar-data"), b.addresses[2], b.addresses[3])
	return err
}

func (b *bench) close() {
	if b.sidecar != nil {
		b.sidecar.Kill()
	}
	if b.network != nil {
		b.network.Close()
	}
	if b.publisher != nil {
		b.publisher.Kill()
	}
}

// awaitServing waits until the answers of the sidecar come from there.
func (b *bench) awaitServing(ctx context.Context, want string) error {
	return process.Await(ctx, "waiting for the serving state "+want, func() bool {
		status, err := b.sidecar.Status(ctx)
		serving, _ := status["serving"].(map[string]any)
		return err == nil && serving["state"] == want
	})
}

// awaitReason waits until a flag is answered with a reason.
func (b *bench) awaitReason(ctx context.Context, key, want string) error {
	return process.Await(ctx, "waiting for "+key+" to be "+want, func() bool {
		answer, err := b.sidecar.Evaluate(ctx, key, `{}`)
		return err == nil && answer.Reason == want
	})
}

// cut ends the connection and refuses others.
func (b *bench) cut() {
	b.network.Refuse(true)
	b.network.Cut()
}

func (b *bench) mend() {
	b.network.Refuse(false)
	b.network.Set(faultnet.Faults{})
}

// blackHole swallows everything and tells no one.
func (b *bench) blackHole() {
	swallow := faultnet.Rule{Action: faultnet.Drop}
	b.network.Set(faultnet.Faults{ToServer: swallow, ToClient: swallow})
}

func (b *bench) report(ctx context.Context) error {
	outages, err := b.outages(ctx)
	if err != nil {
		return err
	}
	restarts, err := b.restarts(ctx)
	if err != nil {
		return err
	}
	latency, err := b.latency(ctx)
	if err != nil {
		return err
	}
	cost, err := b.cost(ctx)
	if err != nil {
		return err
	}
	outages.print()
	fmt.Printf("%-44s %8.3f s\n", "restart with the log back, to live, worst", restarts.Seconds())
	latency.print()
	cost.print()
	figures.Print(
		figures.Figure{Name: "heal_s", Value: outages.heal().Seconds()},
		figures.Figure{Name: "restart_s", Value: restarts.Seconds()},
		figures.Figure{Name: "fresh_p50_us", Value: latency.added(50)},
		figures.Figure{Name: "fresh_p99_us", Value: latency.added(99)},
		figures.Figure{Name: "cut_ratio", Value: cost.ratio()},
	)
	return nil
}
