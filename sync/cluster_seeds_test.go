package flagsync_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/sync/writer"
)

// TestClusterSeeds disturbs three servers in the process of the test, seed after
// seed: parts of the feed and connections are lost, the leadership moves, a
// leader is stopped and started, while publishers write and followers come and
// go, some of them slow. After each seed every follower holds the state of a
// fresh replay, and every publisher was told the truth.
func TestClusterSeeds(t *testing.T) {
	t.Parallel()
	n := seeds(10, 200)
	for first := range 2 { // two clusters, which mostly wait
		t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
			t.Parallel()
			clusterSeeds(t, first, n)
		})
	}
}

// clusterSeeds runs every other seed from the first up to n.
func clusterSeeds(t *testing.T, first, n int) {
	t.Helper()
	servers, l := newReplicated(t)
	f := &fire{t: t, log: l}
	f.proxies, f.url = proxied(t, servers.URL())
	f.plain = servers.Client(t)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	told := newOutcomes()
	for seed := first; seed < n; seed += 2 {
		f.random = rand.New(rand.NewPCG(uint64(seed), 5))
		f.seed(servers, told, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	head := l.settled(t)
	told.verify(t, l.Log, head)
	t.Logf("%d committed, %d lost, %d open, %d not sent; head %d", told.count(writer.Committed), told.count(writer.Lost),
		told.count(writer.Open), told.count(refused), head.Revision)
	if told.count(writer.Committed) == 0 {
		t.Error("nothing was written")
	}
}

// seed does some harm while two publishers write, ends it, and compares all
// followers with a fresh replay.
func (f *fire) seed(servers *natstest.Cluster, told *outcomes, seed int) {
	f.t.Helper()
	f.join()
	f.join()
	stop := f.publish(told, fmt.Sprint("seed-", seed, "-"))
	f.disturb(1 + f.random.IntN(3))
	switch f.random.IntN(5) {
	case 0, 1:
		servers.Leader(f.t, flagsOf).StepDown(f.t, flagsOf)
	case 2:
		leads := servers.Leader(f.t, flagsOf)
		leads.Stop(f.t)
		f.disturb(2)
		leads.Restart(f.t)
	}
	f.disturb(1 + f.random.IntN(3))
	f.heal()
	if !soaking() { // what is half open would be noticed, but late
		for _, p := range f.proxies {
			p.Cut()
		}
	}
	stop()
	f.log.verifyFollowers(f.t, f.followers)
	f.leave()
}

// heal ends all disturbance.
func (f *fire) heal() {
	f.t.Helper()
	for _, p := range f.proxies {
		p.Set(faultnet.Faults{})
		p.Refuse(false)
	}
	f.unmute()
}
