package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestReconnectDelay(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	r := &reconnects{now: func() time.Time { return now }}
	check := func(after time.Duration, longest time.Duration) {
		t.Helper()
		now = time.Unix(0, 0).Add(after)
		for range 100 {
			if d := r.delay(); d < 50*time.Millisecond || d > longest {
				t.Errorf("after %s it waits %s, want 50ms to %s", after, d, longest)
			}
		}
	}
	check(0, 500*time.Millisecond)
	check(29*time.Second, 500*time.Millisecond)
	check(32*time.Second, 1500*time.Millisecond)
	check(time.Hour, 10*time.Second)
	var longest time.Duration
	for range 100 {
		longest = max(longest, r.delay())
	}
	if longest < time.Second {
		t.Errorf("after an hour it waits at most %s", longest)
	}
	r.connected()
	if d := r.delay(); d > 500*time.Millisecond { // the next outage
		t.Errorf("a new outage begins with %s", d)
	}
}

// TestReconnectTakesServersInTurn waits before each server, the second and the
// third too.
func TestReconnectTakesServersInTurn(t *testing.T) {
	t.Parallel()
	servers := make([]nats.Server, 3)
	r := newReconnects()
	tried := make(map[*nats.Server]int)
	for range 9 {
		server, wait := r.next(servers, nats.ServerInfo{})
		tried[server]++
		if wait < 50*time.Millisecond {
			t.Errorf("it waits %s, want 50ms or more", wait)
		}
	}
	for i := range servers {
		if tried[&servers[i]] != 3 {
			t.Errorf("server %d was tried %d times of 9, want 3", i, tried[&servers[i]])
		}
	}
}

func TestVerifyLease(t *testing.T) {
	t.Parallel()
	fresh, old := replicaInfo{Active: int64(time.Second)}, replicaInfo{Active: int64(3 * time.Second)}
	gone := replicaInfo{Active: int64(time.Second), Offline: true}
	for name, tc := range map[string]struct {
		cluster *clusterInfo
		holds   bool
	}{
		"one server":            {&clusterInfo{Leader: "n1"}, true},
		"no cluster":            {nil, false},
		"no leader":             {&clusterInfo{Replicas: []replicaInfo{fresh, fresh}}, false},
		"all of three":          {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, fresh}}, true},
		"two of three":          {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, old}}, true},
		"one of three":          {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{old, old}}, false},
		"one and one offline":   {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{gone, old}}, false},
		"two of five":           {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, old, old, old}}, false},
		"three of five":         {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, fresh, old, old}}, true},
		"two of four, no major": {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, old, old}}, false},
	} {
		err := (&StreamInfo{Cluster: tc.cluster}).VerifyLease()
		if (err == nil) != tc.holds {
			t.Errorf("%s: %v, want that it holds: %t", name, err, tc.holds)
		}
	}
}
