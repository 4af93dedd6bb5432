package flagsync_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// replicas is how many servers of a cluster hold a log.
const replicas = 3

// flagsOf is the stream of the environment.
const flagsOf = "FLAGS_" + environment

// soaking reports whether the long loops are wanted.
func soaking() bool { return os.Getenv("FLAGSIDE_SOAK") == "1" }

// seeds returns how many seeds a test runs.
func seeds(few, many int) int {
	if soaking() {
		return many
	}
	return few
}

// startServers returns a cluster of three processes.
func startServers(tb testing.TB) *process.Cluster {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*patience)
	defer cancel()
	c, err := process.StartCluster(ctx, tb.TempDir(), natstest.Authorization(tb)...)
	tb.Cleanup(c.Kill)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// leader returns the process that leads the log.
func leader(tb testing.TB, c *process.Cluster) *process.Node {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	n, err := c.Leader(ctx, flagsOf)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// createOn makes the environment on a cluster, again until its servers are able
// to, and opens its log.
func createOn(tb testing.TB, url string) *replicated {
	tb.Helper()
	return createOf(tb, url, replicas)
}

// createOf does so with a number of replicas.
func createOf(tb testing.TB, url string, replicas int) *replicated {
	tb.Helper()
	c := connect(tb, url)
	createEnvironment(tb, c, replicas)
	return &replicated{url: url, conn: c, Log: openLog(tb, c, replicas)}
}

// replicated is the log of an environment on a cluster.
type replicated struct {
	url  string
	conn *flagsync.Conn
	*writer.Log

	bases bases
}

// append appends at a position.
func (l *replicated) append(ctx context.Context, at changelog.Position, c writer.Change) (writer.Outcome, error) {
	return l.bases.append(ctx, l.Log, at, c)
}

func newReplicated(tb testing.TB) (*natstest.Cluster, *replicated) {
	tb.Helper()
	c := natstest.StartCluster(tb)
	return c, createOn(tb, c.URL())
}

// settled returns the head, as soon as the leader names one.
func (l *replicated) settled(tb testing.TB) changelog.Position {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	for {
		head, err := l.Head(ctx)
		if err == nil {
			return head
		}
		if ctx.Err() != nil {
			tb.Fatal(err)
		}
	}
}

// verifyFollowers compares every follower with a fresh replay of the log.
func (l *replicated) verifyFollowers(tb testing.TB, followers []*running) {
	tb.Helper()
	head := l.settled(tb)
	fresh := startFollowing(tb, connectSidecar(tb, l.url))
	fresh.reach(tb, head.Revision)
	want := fresh.target.StateDigest()
	for i, r := range followers {
		r.reach(tb, head.Revision)
		s := r.Status()
		if s.Applied != head || r.target.StateDigest() != want {
			tb.Errorf("follower %d holds %s at %+v, a fresh replay %s at %+v", i, r.target.StateDigest(), s.Applied, want, head)
		}
		if s.DifferentHistory != nil || s.Hole != nil || s.Unreadable != nil || s.Fragments != 0 {
			tb.Errorf("follower %d: %+v", i, s)
		}
	}
}

// proxied puts a proxy before each of several servers and returns the address
// for clients.
func proxied(tb testing.TB, urls string) (proxies []*faultnet.Proxy, url string) {
	tb.Helper()
	var addresses []string
	for address := range strings.SplitSeq(urls, ",") {
		p := faultnet.Start(tb, strings.TrimPrefix(address, "nats://"))
		proxies = append(proxies, p)
		addresses = append(addresses, "nats://"+p.Addr())
	}
	return proxies, strings.Join(addresses, ",")
}
