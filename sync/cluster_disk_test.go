package flagsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// memberDisk is the size of the disk of one server of a cluster.
	memberDisk = 32 << 20
	// memberLost is how long a write may take on a busy machine while another server takes over the lead.
	memberLost = 20 * time.Second
)

// The disk of one of three servers becomes full, of the leader of the log or of another one. Writes, reads and followers go on with the other
// two. The server gives JetStream up until it is restarted; then it has everything, also as a part of the majority (FLAGSIDE_SOAK=1).
func TestAMemberWithAFullDisk(t *testing.T) {
	t.Parallel()
	for _, leads := range []bool{false, true} {
		t.Run(fmt.Sprint("leads: ", leads), func(t *testing.T) {
			t.Parallel()
			disk := faultdisk.Start(t, memberDisk)
			servers := natstest.StartCluster(t, disk.Dir())
			l := createOn(t, servers.URL())
			run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
			full := servers.Nodes[0]
			moveLeader(t, servers, map[bool]int{true: 0, false: 1}[leads])
			followers := []*running{startFollowing(t, connectSidecar(t, l.url)), startFollowing(t, connectSidecar(t, full.URL()))}
			told := newOutcomes()
			told.append(t, l.Log, "before-0")

			disk.Fill(t, 4096)
			longest := l.writeUntil(t, told, func() bool { return !full.HasJetStream() })
			for n := range 5 {
				longest = max(longest, l.writeLong(t, told, fmt.Sprint("without-", n)))
			}
			t.Log("the longest write took", longest)
			if longest > memberLost {
				t.Errorf("a write took %s", longest)
			}
			l.verifyFollowers(t, followers)
			for _, r := range followers {
				patiently(t, r.Barrier)
			}

			disk.Free(t)
			told.append(t, l.Log, "space-0")
			t.Log("JetStream is back by itself:", full.HasJetStream())
			full.Restart(t)
			awaitCurrent(t, servers, "node-1")
			if soaking() {
				servers.Nodes[1].Stop(t) // so that the majority needs the one that was full
			}
			told.append(t, l.Log, "restarted-0")
			told.verify(t, l.Log, l.settled(t))
			l.verifyFollowers(t, followers)
		})
	}
}

// moveLeader has a server lead the log.
func moveLeader(t *testing.T, servers *natstest.Cluster, to int) {
	t.Helper()
	c := servers.Client(t)
	preferred := fmt.Appendf(nil, `{"placement":{"preferred":"node-%d"}}`, to+1)
	eventually(t, func() (bool, string) {
		if servers.Leader(t, flagsOf) == servers.Nodes[to] {
			return true, ""
		}
		_, _ = c.Request("$JS.API.STREAM.LEADER.STEPDOWN."+flagsOf, preferred, 2*time.Second) // asked again, if nothing comes of it
		time.Sleep(500 * time.Millisecond)                                                    // for an election
		return false, fmt.Sprintf("server %d to lead", to+1)
	})
}

// awaitCurrent waits until the leader of the log says that a server has all of it.
func awaitCurrent(t *testing.T, servers *natstest.Cluster, name string) {
	t.Helper()
	c := servers.Client(t)
	var info struct {
		Cluster struct {
			Replicas []struct {
				Name    string `json:"name"`
				Current bool   `json:"current"`
				Lag     uint64 `json:"lag"`
			} `json:"replicas"`
		} `json:"cluster"`
	}
	eventually(t, func() (bool, string) {
		info.Cluster.Replicas = nil
		if answer, err := c.Request("$JS.API.STREAM.INFO."+flagsOf, nil, 2*time.Second); err == nil {
			_ = json.Unmarshal(answer.Data, &info) // asked again
		}
		for _, r := range info.Cluster.Replicas {
			if r.Name == name && r.Current && r.Lag == 0 {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%s to have everything: %+v", name, info.Cluster.Replicas)
	})
}

// writeUntil writes until something holds, and returns how long the longest write took.
func (l *replicated) writeUntil(t *testing.T, told *outcomes, holds func() bool) (longest time.Duration) {
	t.Helper()
	for n := range 500 {
		if holds() {
			return longest
		}
		longest = max(longest, l.writeLong(t, told, fmt.Sprint("filling-", n)))
	}
	t.Fatal("the full disk is not noticed")
	return 0
}

// writeLong writes a document of more than two pages, wants it committed, and returns how long that took.
func (l *replicated) writeLong(t *testing.T, told *outcomes, op string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begin := time.Now()
	basis, err := told.headOf(ctx, l.Log)
	for err != nil && ctx.Err() == nil {
		basis, err = told.headOf(ctx, l.Log)
	}
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	outcome, err := l.Append(ctx, basis, change(op, put("long", fmt.Sprintf("%q", strings.Repeat("y", 9000)))))
	if err != nil || outcome.State != writer.Committed {
		t.Errorf("%s: %v, %v, want it committed", op, outcome.State, err)
	}
	told.note(op, outcome.State)
	return time.Since(begin)
}
