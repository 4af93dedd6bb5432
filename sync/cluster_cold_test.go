package flagsync_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// TestColdFollowersAtOnce starts many followers that know nothing at the same
// moment, while a publisher goes on writing: everybody becomes complete.
func TestColdFollowersAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		servers   int
		published bool
		always    bool // not only when there is time
	}{
		{servers: 3, published: false, always: true},
		{servers: 1, published: true, always: true},
		{servers: 1, published: false},
		{servers: 3, published: true},
	} {
		if !c.always && !soaking() {
			continue
		}
		from := "the log"
		if c.published {
			from = "a snapshot"
		}
		t.Run(fmt.Sprintf("%d servers, from %s", c.servers, from), func(t *testing.T) {
			if !soaking() {
				t.Parallel()
			}
			coldFollowers(t, c.servers, c.published)
		})
	}
}

func coldFollowers(t *testing.T, size int, published bool) {
	t.Helper()
	c := &crowd{t: t, servers: startProcess(t)}
	if size > 1 {
		c.servers = startServers(t)
	}
	l := createOf(t, c.servers.URL(), size)
	c.head = l.settled(t)
	for round := range 2 {
		c.head = l.putMany(t, c.head, round, 500)
	}
	if published {
		knows := startFollowing(t, connectSidecar(t, c.servers.URL()))
		knows.reach(t, c.head.Revision)
		patiently(t, func(ctx context.Context) error {
			_, err := l.PublishSnapshot(ctx, knows.target)
			return err
		})
	}
	c.listen(c.servers.URL())
	stop := c.write(l)
	c.start(c.servers.URL(), seeds(150, 1000))
	if t.Failed() {
		return
	}
	c.await("cold", func(s follow.Status) bool { return s.Synced })
	stop()
	c.verify()
	for _, m := range c.members {
		if loads := m.target.loaded(); (loads > 0) != published {
			t.Errorf("%d snapshots loaded, is one published: %t", loads, published)
		}
	}
}

// TestManyComeBackAtOnce cuts off many followers at once, on three servers:
// those who come back are spread by their jitter.
func TestManyComeBackAtOnce(t *testing.T) {
	t.Parallel()
	servers := startServers(t)
	l := createOn(t, servers.URL())
	proxies, url := proxied(t, servers.URL())
	c := &crowd{t: t, servers: servers, head: l.putMany(t, l.settled(t), 0, 500)}
	c.listen(servers.URL())
	c.start(url, seeds(150, 1000))
	if t.Failed() {
		return
	}
	c.verify()
	for _, p := range proxies {
		p.Set(faultnet.Faults{})
		p.Cut()
	}
	c.reset()
	outcome, err := l.append(t.Context(), c.head, change("more", put("another", "{}")))
	if err != nil || outcome.State != writer.Committed {
		t.Fatal(outcome.State, err)
	}
	c.head = outcome.Position
	spread := c.await("cut off", func(s follow.Status) bool { return s.Applied == c.head })
	if spread < 200*time.Millisecond { // of delays from 50 to 500 ms
		t.Errorf("four of five followers came back within %s, want them spread", spread)
	}
	c.verify()
}

// startProcess returns one server that is a process.
func startProcess(tb testing.TB) *process.Cluster {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*patience)
	defer cancel()
	c, err := process.StartServer(ctx, tb.TempDir(), natstest.Authorization(tb)...)
	tb.Cleanup(c.Kill)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// putMany writes documents of some hundred bytes as one change.
func (l *replicated) putMany(tb testing.TB, head changelog.Position, round, n int) changelog.Position {
	tb.Helper()
	documents := make([]document.Document, n)
	for i := range documents {
		documents[i] = put(fmt.Sprint("flag-", i), fmt.Sprintf(`{"round":%d,"text":"%s"}`, round, strings.Repeat("x", 300)))
	}
	outcome, err := l.append(tb.Context(), head, change(fmt.Sprint("fill-", round), documents...))
	if err != nil || outcome.State != writer.Committed {
		tb.Fatal(outcome.State, err)
	}
	return outcome.Position
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
	own   time.Duration
	asked map[string]time.Time // first read of entries or chunks since the begin, by inbox
	reads int                  // of entries or chunks
}

type crowdMember struct {
	follower *follow.Follower
	target   *digestTarget
	inbox    string
}

// listen notes the reads that followers ask for.
func (c *crowd) listen(url string) {
	conn := natstest.ConnectSidecars(c.t, url)
	c.reset()
	if _, err := conn.Subscribe("flagside.api.DIRECT.GET.>", func(msg *nats.Msg) {
		parts := strings.Split(msg.Reply, ".")
		inbox := strings.Join(parts[:min(3, len(parts))], ".")
		if strings.HasSuffix(msg.Subject, ".manifest") {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reads++
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
	c.begin, c.cpu, c.own, c.asked, c.reads = time.Now(), c.serverCPU(), ownCPU(c.t), make(map[string]time.Time), 0
}

// ownCPU returns the processor time that this process has used.
func ownCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// write goes on changing a document until the returned function is called.
func (c *crowd) write(l *replicated) (stop func()) {
	return run(c.t, func(ctx context.Context) error {
		for i := 0; ; i++ {
			outcome, err := l.append(context.WithoutCancel(ctx), c.head, change(fmt.Sprint("write-", i), put("written", fmt.Sprint(i))))
			if err != nil || outcome.State != writer.Committed {
				return fmt.Errorf("write %d: %s: %w", i, outcome.State, err)
			}
			c.head = outcome.Position
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return nil
			}
		}
	})
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
	key := natstest.SidecarKey(c.t)
	var starting sync.WaitGroup
	for i := range size {
		inbox := fmt.Sprintf("_SC.%s.cold%d", environment, i)
		starting.Go(func() {
			c.members[i] = c.join(flagsync.ConnectOptions{URL: url, Environment: environment, NKey: key, InboxPrefix: inbox, Keyring: trusttest.Default().Keyring(), Logger: testLogger})
		})
	}
	starting.Wait()
}

// join starts one follower. It is called from many goroutines.
func (c *crowd) join(o flagsync.ConnectOptions) *crowdMember {
	m := &crowdMember{target: newDigestTarget(), inbox: o.InboxPrefix}
	conn, err := flagsync.Connect(c.t.Context(), o)
	if err != nil {
		c.t.Error(err)
		return m
	}
	c.t.Cleanup(conn.Close)
	if m.follower, err = follow.New(conn, m.target, follow.Options{Environment: environment, Logger: testLogger}); err != nil {
		c.t.Error(err)
		return m
	}
	run(c.t, m.follower.Run)
	return m
}

// await waits until something holds of everybody, reports what it took, and
// returns in which time the middle four fifths began to read.
func (c *crowd) await(what string, holds func(follow.Status) bool) (spread time.Duration) {
	c.t.Helper()
	for _, m := range c.members {
		eventually(c.t, func() (bool, string) {
			s := m.follower.Status()
			return holds(s), fmt.Sprintf("a follower that was %s: %+v", what, s)
		})
	}
	took, cpu, own := time.Since(c.begin), c.serverCPU()-c.cpu, ownCPU(c.t)-c.own
	peak, reads, begins := c.reading()
	if len(begins) > 10 {
		spread = begins[len(begins)*9/10].Sub(begins[len(begins)/10])
	}
	c.t.Logf("%d followers, %s: all done after %s; %d reads, at most %d followers between their first and the end at once, four fifths began within %s; CPU: servers %s, followers %s",
		len(c.members), what, took.Round(time.Millisecond), reads, peak, spread.Round(time.Millisecond), cpu, own.Round(time.Millisecond))
	return spread
}

// verify waits until everybody is at the head, and compares what they hold.
func (c *crowd) verify() {
	c.t.Helper()
	for i, m := range c.members {
		eventually(c.t, func() (bool, string) {
			s := m.follower.Status()
			return s.Applied == c.head, fmt.Sprintf("a follower to be at the head: %+v", s)
		})
		if got, want := m.target.StateDigest(), c.members[0].target.StateDigest(); got != want {
			c.t.Errorf("follower %d holds %s, the first %s", i, got, want)
		}
	}
}

// reading returns how many were between their first read and being complete at
// once, how many reads there were, and when they began, in order.
func (c *crowd) reading() (peak, reads int, begins []time.Time) {
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
	return peak, c.reads, begins
}

// digestTarget is a target that knows when it took something last.
type digestTarget struct {
	mu        sync.Mutex
	position  changelog.Position
	documents map[document.ID]document.Document
	state     changelog.State
	last      time.Time
	loads     int
}

func (d *digestTarget) Position() changelog.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.position
}

func (d *digestTarget) Apply(transactions []changelog.Transaction) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.state.Edit()
	for _, tx := range transactions {
		for _, r := range tx {
			if r.Put != nil {
				d.put(state, r.Document())
			}
		}
		d.position = tx.Position()
	}
	d.state = state.State()
	d.last = time.Now()
	return nil
}

// put replaces a document.
func (d *digestTarget) put(state *changelog.StateEdit, doc document.Document) {
	if before, ok := d.documents[doc.ID()]; ok {
		state.Remove(before)
	}
	state.Add(doc)
	d.documents[doc.ID()] = doc
}

func (d *digestTarget) Load(s *changelog.SnapshotReader) error {
	loaded, state := newDigestTarget(), changelog.State{}.Edit()
	for {
		doc, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		loaded.put(state, doc)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.position, d.documents, d.state = s.Header().Head.Position, loaded.documents, state.State()
	d.last = time.Now()
	d.loads++
	return nil
}

func (d *digestTarget) Synced() {}

func (d *digestTarget) StateDigest() changelog.Digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Digest()
}

func (d *digestTarget) lastApplied() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

func (d *digestTarget) loaded() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loads
}

func newDigestTarget() *digestTarget {
	return &digestTarget{documents: make(map[document.ID]document.Document)}
}
