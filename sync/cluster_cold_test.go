package flagsync_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/e2e/process"
	"github.com/flagside/flagside/internal/faultnet"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// TestColdFollowersAtOnce starts many followers that know nothing at the same
// moment, on three servers, and then cuts all of them off at once: everybody
// becomes complete, and those who come back are spread by their jitter.
func TestColdFollowersAtOnce(t *testing.T) {
	t.Parallel()
	servers := startServers(t)
	l := createOn(t, servers.URL())
	head := l.settled(t)
	documents := make([]changelog.Document, 500)
	for i := range documents {
		documents[i] = put(fmt.Sprint("flag-", i), `{"text":"`+strings.Repeat("x", 300)+`"}`)
	}
	outcome, err := l.Append(t.Context(), head, change("fill", documents...))
	if err != nil || outcome.State != flagsync.Committed {
		t.Fatal(outcome.State, err)
	}
	proxies, url := proxied(t, servers.URL())
	c := &crowd{t: t, servers: servers, head: outcome.Position}
	c.listen(servers.URL())

	c.start(url, seeds(150, 1000))
	if t.Failed() {
		return
	}
	c.await("cold")
	for _, p := range proxies {
		p.Set(faultnet.Faults{})
		p.Cut()
	}
	c.reset()
	outcome, err = l.Append(t.Context(), outcome.Position, change("more", put("another", "{}")))
	if err != nil || outcome.State != flagsync.Committed {
		t.Fatal(outcome.State, err)
	}
	c.head = outcome.Position
	spread := c.await("cut off")
	if spread < 200*time.Millisecond { // of delays from 50 to 500 ms
		t.Errorf("four of five followers came back within %s, want them spread", spread)
	}
}

// crowd is many followers and when each began to read and was complete.
type crowd struct {
	t       *testing.T
	servers *process.Cluster
	head    changelog.Position
	members []*crowdMember

	mu    sync.Mutex
	begin time.Time
	cpu   time.Duration
	asked map[string]time.Time // first read since the begin, by inbox
}

type crowdMember struct {
	follower *flagsync.Follower
	target   *digestTarget
	inbox    string
}

// listen notes the reads that followers ask for.
func (c *crowd) listen(url string) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(conn.Close)
	c.reset()
	if _, err := conn.Subscribe("$JS.API.DIRECT.GET."+flagsOf, func(msg *nats.Msg) {
		inbox, _, _ := strings.Cut(msg.Reply, ".")
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, ok := c.asked[inbox]; !ok {
			c.asked[inbox] = time.Now()
		}
	}); err != nil {
		c.t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// reset begins to measure anew.
func (c *crowd) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin, c.cpu, c.asked = time.Now(), c.serverCPU(), make(map[string]time.Time)
}

func (c *crowd) serverCPU() (sum time.Duration) {
	for _, n := range c.servers.Nodes {
		used, err := n.CPU()
		if err != nil {
			c.t.Log(err)
		}
		sum += used
	}
	return sum
}

func (c *crowd) start(url string, size int) {
	c.t.Helper()
	c.reset()
	c.members = make([]*crowdMember, size)
	var starting sync.WaitGroup
	for i := range size {
		starting.Go(func() { c.members[i] = c.join(url, fmt.Sprint("_cold", i)) })
	}
	starting.Wait()
}

// join starts one follower. It is called from many goroutines.
func (c *crowd) join(url, inbox string) *crowdMember {
	m := &crowdMember{target: &digestTarget{}, inbox: inbox}
	conn, err := flagsync.Connect(c.t.Context(), flagsync.ConnectOptions{URL: url, InboxPrefix: inbox, Logger: testLogger})
	if err != nil {
		c.t.Error(err)
		return m
	}
	c.t.Cleanup(conn.Close)
	if m.follower, err = flagsync.NewFollower(conn, m.target, flagsync.FollowerOptions{Environment: environment, Logger: testLogger}); err != nil {
		c.t.Error(err)
		return m
	}
	run(c.t, m.follower.Run)
	return m
}

// await waits until everybody is complete, reports what it took, and returns in
// which time the middle four fifths began to read.
func (c *crowd) await(what string) (spread time.Duration) {
	c.t.Helper()
	for _, m := range c.members {
		eventually(c.t, func() (bool, string) {
			s := m.follower.Status()
			return s.Synced && s.Applied == c.head, fmt.Sprintf("a follower to be complete: %+v", s)
		})
	}
	took, cpu := time.Since(c.begin), c.serverCPU()-c.cpu
	want := c.members[0].target.StateDigest()
	for i, m := range c.members {
		if got := m.target.StateDigest(); got != want {
			c.t.Errorf("follower %d holds %s, the first %s", i, got, want)
		}
	}
	peak, begins := c.reads()
	if len(begins) > 10 {
		spread = begins[len(begins)*9/10].Sub(begins[len(begins)/10])
	}
	c.t.Logf("%d followers, %s: all complete after %s, at most %d read at once, four fifths began within %s, %s of the servers' CPU",
		len(c.members), what, took.Round(time.Millisecond), peak, spread.Round(time.Millisecond), cpu)
	return spread
}

// reads returns how many were between their first read and being complete at
// once, and when they began, in order.
func (c *crowd) reads() (peak int, begins []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	type step struct {
		at  time.Time
		and int
	}
	var steps []step
	for _, m := range c.members {
		begin, ok := c.asked[m.inbox]
		if !ok {
			continue // the feed was enough
		}
		begins = append(begins, begin)
		if end := m.target.lastApplied(); end.After(begin) {
			steps = append(steps, step{begin, 1}, step{end, -1})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), a.and-b.and) })
	now := 0
	for _, s := range steps {
		now += s.and
		peak = max(peak, now)
	}
	slices.SortFunc(begins, time.Time.Compare)
	return peak, begins
}

// digestTarget holds no documents, only what they add up to, and so takes a log
// that puts each document once.
type digestTarget struct {
	mu       sync.Mutex
	position changelog.Position
	state    changelog.Digest
	last     time.Time
}

func (d *digestTarget) Position() changelog.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.position
}

func (d *digestTarget) Apply(transactions []changelog.Transaction) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, tx := range transactions {
		for _, r := range tx {
			if r.Put != nil {
				d.state = d.state.Toggle(r.Document())
			}
		}
		d.position = tx.Position()
	}
	d.last = time.Now()
	return nil
}

func (d *digestTarget) Load(*changelog.SnapshotReader) error {
	return errors.New("no snapshot is published here")
}

func (d *digestTarget) Synced() {}

func (d *digestTarget) StateDigest() changelog.Digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func (d *digestTarget) lastApplied() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}
