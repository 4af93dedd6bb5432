package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/linearizable"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
)

// loss is a way to lose the leader of the log, and to get the server back.
type loss struct {
	name       string
	lose, back func(*process.Cluster, *process.Node) error
	answers    bool // the server goes on answering for as long as it may believe that it leads
	lossyFeed  bool // nothing is republished meanwhile
}

var losses = []loss{
	{
		name:    "cut off from the others",
		lose:    func(c *process.Cluster, n *process.Node) error { c.CutOff(n, true); return nil },
		back:    func(c *process.Cluster, n *process.Node) error { c.CutOff(n, false); return nil },
		answers: true,
	},
	{
		name:      "killed while the feed is lossy",
		lose:      func(_ *process.Cluster, n *process.Node) error { n.Kill(); return nil },
		back:      func(_ *process.Cluster, n *process.Node) error { return n.Start() },
		lossyFeed: true,
	},
	{
		name: "killed",
		lose: func(_ *process.Cluster, n *process.Node) error { n.Kill(); return nil },
		back: func(_ *process.Cluster, n *process.Node) error { return n.Start() },
	},
	{
		name: "paused",
		lose: func(_ *process.Cluster, n *process.Node) error { return n.Pause() },
		back: func(_ *process.Cluster, n *process.Node) error { return n.Resume() },
	},
}

// outage is how long a leader is lost: longer than an election takes.
const outage = 12 * time.Second

// Three publishers change a flag and four sidecars answer it, each through a server of its own, and one sidecar through any, while the
// server that leads the log is lost and comes back: what is always fresh was written last, even if a server that was deposed still believes
// to lead, and what comes from memory never goes back.
func TestHistoriesWhenLeadersAreLost(t *testing.T) {
	rounds := []loss{losses[rand.IntN(len(losses))]} // the log says which
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = append(append(append([]loss{}, losses...), losses...), losses...)
	}
	h := newHistory(t, time.Duration(len(rounds)+2)*2*time.Minute)
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	h.begin(ctx)
	for _, l := range rounds {
		h.suffer(l)
	}
	cancel()
	h.running.Wait()
	t.Logf("%d operations, %d reads refused, %d from memory; %d writes done, %d not known", h.register.Len(), h.refused.Load(), h.cached.Load(),
		h.done.Load(), h.unknown.Load())
	if err := h.register.Check(5 * time.Second); err != nil {
		t.Error(err)
	}
	if h.refused.Load() == 0 || h.done.Load() < 4 {
		t.Errorf("%d reads were refused, %d writes done: the test tests nothing", h.refused.Load(), h.done.Load())
	}
}

// history is what the clients of a cluster do and see.
type history struct {
	*system
	servers    *process.Cluster
	publishers []*process.Publisher
	sidecars   []*process.Sidecar // one for each server, and one for all of them
	register   *linearizable.Register
	running    sync.WaitGroup

	refused, cached, done, unknown atomic.Int64
	attempts                       atomic.Int64 // to write
	newest                         atomic.Int64 // the last value that was written for sure
}

const (
	freshKey  = "fresh"
	cachedKey = "cached"
)

func newHistory(t *testing.T, limit time.Duration) *history {
	t.Helper()
	h := &history{system: newSystem(t), register: linearizable.New()}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	h.ctx = ctx
	var err error
	h.servers, err = process.StartCluster(ctx, t.TempDir(), natstest.Authorization(t)...)
	t.Cleanup(h.servers.Kill)
	if err != nil {
		t.Fatal(err)
	}
	for i, admin := range addresses(t, len(h.servers.Nodes)) {
		p, err := binaries.StartPublisherAt(ctx, h.servers, h.servers.Nodes[i], admin)
		if p != nil {
			t.Cleanup(p.Kill)
		}
		if err != nil {
			t.Fatal(err)
		}
		h.publishers = append(h.publishers, p)
	}
	h.publisher = h.publishers[0]
	if err := binaries.CreateEnvironment(ctx, h.publisher.Admin, "prod"); err != nil {
		t.Fatalf("%v\n%s", err, h.publisher.Output())
	}
	for _, addresses := range []string{h.publishers[0].NATS, h.publishers[1].NATS, h.publishers[2].NATS, h.servers.Addresses()} {
		h.nats = addresses
		sidecar := h.startSidecar("prod", t.TempDir(), "--nats-nkey", natstest.SidecarKey(t))
		h.awaitReady(sidecar)
		h.sidecars = append(h.sidecars, sidecar)
	}
	return h
}

func doc(key string, value int) []byte {
	freshness := ""
	if key == freshKey {
		freshness = `,"freshness":"always_fresh","onUnreachable":"error"`
	}
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"only":%d},"defaultVariant":"only"%s}`, value, freshness)
}

// begin writes both flags and lets everybody go.
func (h *history) begin(ctx context.Context) {
	h.t.Helper()
	for _, key := range []string{freshKey, cachedKey} {
		if _, err := h.publisher.PutFlag(h.ctx, "prod", key, "", doc(key, 0)); err != nil {
			h.t.Fatal(err)
		}
		for _, s := range h.sidecars {
			h.awaitValue(s, key, "0")
		}
	}
	for i, p := range h.publishers {
		h.running.Go(func() { h.write(ctx, i, p) })
	}
	for i, s := range h.sidecars {
		h.running.Go(func() { h.readFresh(ctx, len(h.publishers)+i, s) })
		h.running.Go(func() { h.readCached(ctx, s) })
	}
}

// suffer loses the leader, waits until changes arrive again everywhere else, and gives it back.
func (h *history) suffer(l loss) {
	h.t.Helper()
	h.confirmed(3) // all are well
	leader, err := h.servers.Leader(h.ctx, "FLAGS_prod")
	if err != nil {
		h.t.Fatal(err)
	}
	if l.lossyFeed {
		loseFeed(h.ctx, h.t, h.servers.URL(), true)
	}
	began := time.Now()
	if err := l.lose(h.servers, leader); err != nil {
		h.t.Fatal(err)
	}
	if err := h.servers.AwaitOtherLeaders(h.ctx, leader); err != nil {
		h.t.Fatal(err)
	}
	elected := time.Now()
	time.Sleep(500 * time.Millisecond) // what was under way is over
	h.confirmed(1)
	took := time.Since(began)
	h.t.Logf("leader %s: others led after %s, and a change arrived after %s", l.name, elected.Sub(began).Round(time.Millisecond),
		took.Round(time.Millisecond))
	if since := time.Since(elected); since > slack {
		h.t.Errorf("leader %s: it took %s until a change arrived, from when others led", l.name, since)
	}
	time.Sleep(outage - min(outage, took))
	if err := l.back(h.servers, leader); err != nil {
		h.t.Fatal(err)
	}
	if l.lossyFeed {
		loseFeed(h.ctx, h.t, h.servers.URL(), false)
	}
	for i, s := range h.sidecars {
		err := process.Await(h.ctx, fmt.Sprintf("sidecar %d", i), func() bool {
			before := h.newest.Load()
			value, ok := read(h.ctx, s, freshKey)
			return ok && int64(value) >= before && before > 0
		})
		if err != nil {
			h.t.Fatalf("leader %s: %v\n%s", l.name, err, s.Output())
		}
	}
}

// confirmed waits until so many new values were written and the sidecar that may ask any server has the last of them.
func (h *history) confirmed(values int64) {
	h.t.Helper()
	done := h.done.Load()
	if err := process.Await(h.ctx, "waiting for writes", func() bool { return h.done.Load() >= done+values }); err != nil {
		h.t.Fatal(err)
	}
	newest := h.newest.Load()
	err := process.Await(h.ctx, "waiting for an answer", func() bool {
		value, ok := read(h.ctx, h.sidecars[len(h.sidecars)-1], freshKey)
		return ok && int64(value) >= newest
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// loseFeed makes changes reach no one by themselves, or again.
func loseFeed(ctx context.Context, t *testing.T, servers string, lose bool) {
	t.Helper()
	client := natstest.Connect(t, servers)
	defer client.Close()
	request := func(call string, body []byte) (answer map[string]any) {
		err := process.Await(ctx, call, func() bool {
			reply, err := client.Request("$JS.API."+call+".FLAGS_prod", body, 5*time.Second)
			answer = nil // what an attempt before has answered
			return err == nil && json.Unmarshal(reply.Data, &answer) == nil && answer["error"] == nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	config, _ := request("STREAM.INFO", nil)["config"].(map[string]any)
	delete(config, "republish")
	if !lose {
		config["republish"] = map[string]string{"src": "flags.prod.>", "dest": "feed.prod.>"}
	}
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	request("STREAM.UPDATE", body)
}

// write changes the flags through one publisher. The values grow with the log.
func (h *history) write(ctx context.Context, client int, p *process.Publisher) {
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		for _, key := range []string{freshKey, cachedKey} {
			limited, cancel := context.WithTimeout(ctx, 20*time.Second) // longer than the publisher takes to give up, also on a busy machine
			h.writeOnce(limited, client, p, key)
			cancel()
		}
	}
}

func (h *history) writeOnce(ctx context.Context, client int, p *process.Publisher, key string) {
	etag, err := p.FlagRevision(ctx, "prod", key)
	if err != nil {
		return
	}
	_, number, _ := strings.Cut(etag, "-")
	revision, err := strconv.Atoi(number)
	if err != nil {
		h.t.Errorf("entity tag %s: %v", etag, err)
		return
	}
	// Values grow with the log. No other attempt has the same one, not even the next of this client, which may begin at the same revision.
	value := 100_000*(revision+1) + 10*int(h.attempts.Add(1)%10_000) + client
	attempt := func() linearizable.Outcome {
		_, err := p.PutFlag(ctx, "prod", key, etag, doc(key, value))
		switch {
		case err == nil:
			return linearizable.Done
		case preconditionFailed(err):
			return linearizable.Refused
		default:
			return linearizable.Unknown
		}
	}
	if key == cachedKey {
		attempt()
		return
	}
	switch h.register.Write(client, value, attempt) {
	case linearizable.Done:
		h.newest.Store(max(h.newest.Load(), int64(value)))
		h.done.Add(1)
	case linearizable.Unknown:
		h.unknown.Add(1)
	default:
	}
}

func read(ctx context.Context, s *process.Sidecar, key string) (value int, ok bool) {
	answer, err := s.Evaluate(ctx, key, `{}`)
	if err != nil || answer.HTTPStatus != http.StatusOK {
		return 0, false
	}
	value, err = strconv.Atoi(string(answer.Value))
	return value, err == nil
}

func (h *history) readFresh(ctx context.Context, client int, s *process.Sidecar) {
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if _, ok := h.register.Read(client, func() (int, bool) { return read(ctx, s, freshKey) }); !ok {
			h.refused.Add(1)
		}
	}
}

// readCached looks whether what comes from memory only grows.
func (h *history) readCached(ctx context.Context, s *process.Sidecar) {
	newest := 0
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		value, ok := read(ctx, s, cachedKey)
		switch {
		case ctx.Err() != nil:
		case !ok || value < newest:
			h.t.Errorf("after %d came %d, %t", newest, value, ok)
		}
		newest = max(newest, value)
		h.cached.Add(1)
	}
}
