package flagsync_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/writer"
)

// TestClusterServesTheSameCode runs several publishers and followers on three
// replicas, as on a single server, while the leadership moves and a leader is
// stopped.
func TestClusterServesTheSameCode(t *testing.T) {
	t.Parallel()
	servers, l := newReplicated(t)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	followers := []*running{startFollowing(t, l.conn), startFollowing(t, connectSidecar(t, l.url))}
	told := newOutcomes()
	var publishing sync.WaitGroup
	for i := range 3 {
		own, name := openLog(t, connect(t, l.url), replicas), fmt.Sprint("publisher-", i)
		publishing.Go(func() {
			for n := range 15 {
				told.append(t, own, fmt.Sprintf("%s-%d", name, n))
			}
		})
	}
	servers.Leader(t, flagsOf).StepDown(t, flagsOf)
	followers = append(followers, startFollowing(t, connectSidecar(t, l.url)))
	stopped := servers.Leader(t, flagsOf)
	stopped.Stop(t)
	publishing.Wait()
	stopped.Restart(t)
	told.verify(t, l.Log, l.settled(t))
	l.verifyFollowers(t, followers)
	for _, r := range followers {
		patiently(t, r.Barrier) // who was refused once asks again
	}
}

// TestBarrierNeedsAMajority pauses the two servers that follow the leader of a
// log: it still answers, but what it says no longer proves anything.
func TestBarrierNeedsAMajority(t *testing.T) {
	t.Parallel()
	servers := startServers(t)
	l := createOn(t, servers.URL())
	leads := leader(t, servers)
	r := startFollowing(t, connectSidecar(t, "nats://"+leads.Client), patient)
	r.until(t, "synced", isSynced)
	r.barrier(t)
	for _, n := range servers.Nodes {
		if n != leads {
			if err := n.Pause(); err != nil {
				t.Fatal(err)
			}
		}
	}
	paused := time.Now()
	var refused time.Duration
	var tried []string
	eventually(t, func() (bool, string) {
		asked := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.Barrier(ctx)
		refused = asked.Sub(paused)
		tried = append(tried, fmt.Sprintf("%s: %v", refused, err))
		return err != nil && (strings.Contains(err.Error(), "majority") || strings.Contains(err.Error(), "leader")), fmt.Sprintf("a refusal, got %v", err)
	})
	if refused > 4*time.Second { // a server speaks once a second: two seconds after its last word
		t.Errorf("a barrier sent %s after the last sign of a majority succeeded", refused)
	}
	confirmed := r.Status().LastConfirmed
	if since := confirmed.Sub(paused); since > 4*time.Second {
		t.Errorf("confirmed %s after the majority was gone", since)
	}
	if t.Failed() {
		t.Logf("asked:\n%s", strings.Join(tried, "\n"))
	}
	for _, n := range servers.Nodes {
		if n != leads {
			if err := n.Resume(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.Barrier(ctx)
		return err == nil, fmt.Sprintf("a barrier with a majority, got %v", err)
	})
	l.settled(t)
}
