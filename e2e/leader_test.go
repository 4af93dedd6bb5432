package e2e_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
)

const (
	// slack is how long everything may take on a machine that is busy with other tests once other servers lead: finding them takes three seconds.
	// How long an election takes is theirs: up to nine seconds, and as long again for each vote that elects no server.
	slack = 18 * time.Second
	// deadline is how long an answer waits for the log, unless --freshness-deadline says otherwise.
	deadline = time.Second
)

// start is a way for a sidecar to be there when a leader is lost, and what it answers until another leads.
type start struct {
	name   string
	state  string   // that it falls back to
	cached string   // value, or error code, of a flag that demands nothing
	strict []string // error codes of a flag that demands to be confirmed
}

var starts = []start{
	{name: "warm", state: "memory", cached: "1", strict: []string{"GENERAL"}},
	{name: "restarted", state: "disk", cached: "1", strict: []string{"GENERAL"}},
	{name: "new", state: "empty", cached: "PROVIDER_NOT_READY", strict: []string{"PROVIDER_NOT_READY", "GENERAL"}},
}

// The server that leads the log is lost: sidecars that run, restart and never ran before answer what they can, wait no longer than they may,
// and are live and confirmed as soon as another server leads.
func TestLeaderLost(t *testing.T) {
	t.Parallel()
	rounds := losses[2:3]
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = losses
	}
	l := newLostLeader(t, time.Duration(len(rounds)+1)*2*time.Minute)
	for _, way := range rounds {
		l.suffer(way)
	}
}

// lostLeader is a cluster that loses its leader, and a publisher.
type lostLeader struct {
	*system
	servers *process.Cluster
	key     string
	tags    map[string]string
	elected atomic.Pointer[time.Time] // when others led than the server that is lost
}

func newLostLeader(t *testing.T, limit time.Duration) *lostLeader {
	t.Helper()
	l := &lostLeader{system: newSystem(t), key: natstest.SidecarKey(t), tags: make(map[string]string)}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	l.ctx = ctx
	var err error
	l.servers, err = process.StartCluster(ctx, t.TempDir(), natstest.Authorization(t)...)
	t.Cleanup(l.servers.Kill)
	if err != nil {
		t.Fatal(err)
	}
	l.publisher, err = binaries.StartPublisherOn(ctx, l.servers, addresses(t, 1)[0])
	if l.publisher != nil {
		t.Cleanup(l.publisher.Kill)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := binaries.CreateEnvironment(ctx, l.publisher.Admin, "prod"); err != nil {
		t.Fatalf("%v\n%s", err, l.publisher.Output())
	}
	l.nats = l.servers.Addresses()
	l.put(1)
	return l
}

// put gives both flags a value, as soon as that can be done.
func (l *lostLeader) put(value int) {
	l.t.Helper()
	for _, key := range []string{cachedKey, freshKey} {
		err := process.Await(l.ctx, "writing "+key, func() bool {
			ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
			defer cancel()
			tag, _ := l.publisher.FlagRevision(ctx, "prod", key) // without one: the flag must not exist yet
			_, err := l.publisher.PutFlag(ctx, "prod", key, tag, doc(key, value))
			return err == nil
		})
		if err != nil {
			l.t.Fatalf("%v\n%s", err, l.publisher.Output())
		}
	}
}

// live starts a sidecar and waits until it is live and confirmed.
func (l *lostLeader) live(dir string) *process.Sidecar {
	l.t.Helper()
	s := l.startSidecar("prod", dir, "--nats-nkey", l.key)
	err := process.Await(l.ctx, "waiting for a sidecar to be live", func() bool {
		value, ok := read(l.ctx, s, freshKey)
		return ok && value == 1 && l.serving(s) == "live"
	})
	if err != nil {
		l.t.Fatalf("%v\n%s", err, s.Output())
	}
	return s
}

func (l *lostLeader) serving(s *process.Sidecar) string {
	status, _ := s.Status(l.ctx)
	serving, _ := status["serving"].(map[string]any)
	state, _ := serving["state"].(string)
	return state
}

// suffer loses the leader and gives it back once all have recovered.
func (l *lostLeader) suffer(way loss) {
	l.t.Helper()
	dirs := []string{l.t.TempDir(), l.t.TempDir(), l.t.TempDir()}
	warm := l.live(dirs[0])
	if err := l.live(dirs[1]).Stop(10 * time.Second); err != nil {
		l.t.Fatal(err)
	}
	leader, err := l.servers.Leader(l.ctx, "FLAGS_prod")
	if err != nil {
		l.t.Fatal(err)
	}
	if way.lossyFeed {
		loseFeed(l.ctx, l.t, l.servers.URL(), true)
	}
	began := time.Now()
	l.elected.Store(&began)
	if err := way.lose(l.servers, leader); err != nil {
		l.t.Fatal(err)
	}
	sidecars := []*process.Sidecar{warm, l.startSidecar("prod", dirs[1], "--nats-nkey", l.key), l.startSidecar("prod", dirs[2], "--nats-nkey", l.key)}
	var watching sync.WaitGroup
	for i, s := range sidecars {
		watching.Go(func() { l.watch(way, starts[i], s, began) })
	}
	if err := l.servers.AwaitOtherLeaders(l.ctx, leader); err != nil {
		l.t.Error(err)
	}
	l.elected.Store(new(time.Now()))
	l.put(2)
	l.t.Logf("leader %s: a change was made after %s", way.name, time.Since(began).Round(time.Millisecond))
	watching.Wait()
	if err := way.back(l.servers, leader); err != nil {
		l.t.Fatal(err)
	}
	if way.lossyFeed {
		loseFeed(l.ctx, l.t, l.servers.URL(), false)
	}
	l.put(1)
	for _, s := range sidecars {
		s.Kill()
	}
}

// watch looks at the answers of a sidecar until a change that is made meanwhile is there, confirmed.
func (l *lostLeader) watch(way loss, as start, s *process.Sidecar, began time.Time) {
	var states []string
	var longest time.Duration
	ask := func(key string, allowed ...string) (answered string) {
		asked := time.Now()
		answer, err := s.Evaluate(l.ctx, key, `{}`)
		if err != nil {
			return "" // it does not listen yet
		}
		longest = max(longest, time.Since(asked))
		if answered = said(answer); !slices.Contains(allowed, answered) {
			l.t.Errorf("leader %s, %s: %s answers %+v", way.name, as.name, key, answer)
		}
		return answered
	}
	err := process.Await(l.ctx, "waiting for recovery", func() bool {
		state := l.serving(s)
		if state != "" && !slices.Contains(states, state) {
			states = append(states, state)
		}
		ask(cachedKey, "1", "2", as.cached)
		return ask(freshKey, append(as.strict, "1", "2")...) == "2" && state == "live"
	})
	took, recovery := time.Since(began), time.Since(*l.elected.Load())
	l.t.Logf("leader %s, %s: confirmed after %s, states %v, the longest answer took %s", way.name, as.name, took.Round(time.Millisecond), states,
		longest.Round(time.Millisecond))
	fell := slices.Contains(states, as.state) || way.answers && as.state != "memory"
	if err != nil || recovery > slack || longest > deadline+slack || !fell {
		l.t.Errorf("leader %s, %s: %v, after %s and over %v, want %s; answers took up to %s\n%s", way.name, as.name, err, took, states, as.state, longest,
			s.Output())
	}
}

// said returns the value of an answer, or its error code.
func said(a process.Answer) string {
	if a.ErrorCode != "" {
		return a.ErrorCode
	}
	return string(a.Value)
}
