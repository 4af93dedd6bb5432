package flagsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// TestClusterUnderFire kills the leader of a log, pauses the next, loses parts
// of the feed and whole connections, while publishers write and followers come
// and go, some of them slow: every follower ends with the state of a fresh
// replay, and every publisher was told the truth.
func TestClusterUnderFire(t *testing.T) {
	t.Parallel()
	for seed := range seeds(1, 20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if !soaking() {
				t.Parallel()
			}
			underFire(t, rand.New(rand.NewPCG(uint64(seed), 2)))
		})
	}
}

// leaderPause is how long a leader is paused: longer than the others wait before
// they elect another one, which is 4 to 9 seconds.
func leaderPause() time.Duration {
	if soaking() {
		return 12 * time.Second
	}
	return 5 * time.Second
}

// fire is a cluster and what is done to it.
type fire struct {
	t         *testing.T
	random    *rand.Rand
	servers   *process.Cluster
	proxies   []*faultnet.Proxy
	url       string // through the proxies
	log       *replicated
	plain     *nats.Conn
	followers []*running
	stops     []func()
}

func underFire(t *testing.T, random *rand.Rand) {
	t.Helper()
	f := &fire{t: t, random: random, servers: startServers(t)}
	f.log = createOn(t, f.servers.URL())
	f.proxies, f.url = proxied(t, f.servers.URL())
	f.plain = natstest.Connect(t, f.servers.URL())
	run(t, writer.NewHeartbeater(f.log.Log, testLogger).Run)
	for range 4 {
		f.join()
	}
	told := newOutcomes()
	stop := f.publish(told, "")

	leads := leader(t, f.servers)
	leads.Kill()
	f.disturb(10)
	if err := leads.Start(); err != nil {
		t.Fatal(err)
	}
	f.disturb(10)
	leads = leader(t, f.servers)
	if err := leads.Pause(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(leaderPause()); time.Now().Before(end); {
		f.disturb(1)
	}
	if err := leads.Resume(); err != nil {
		t.Fatal(err)
	}
	f.disturb(5)

	stop()
	f.heal()
	told.verify(t, f.log.Log, f.log.settled(t))
	f.log.verifyFollowers(t, f.followers)
	t.Logf("%d committed, %d lost, %d open, %d not sent; head %d", told.count(writer.Committed), told.count(writer.Lost),
		told.count(writer.Open), told.count(refused), f.log.settled(t).Revision)
	if told.count(writer.Committed) == 0 {
		t.Error("nothing was written")
	}
}

// publish lets two publishers write until the returned function is called, one
// of them through the proxies. The prefix tells their op-ids from others.
func (f *fire) publish(told *outcomes, prefix string) (stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	var publishing sync.WaitGroup
	for i, url := range []string{f.log.url, f.url} {
		own := openLog(f.t, connect(f.t, url), replicas)
		publishing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				told.append(f.t, own, fmt.Sprintf("%spublisher-%d-%d", prefix, i, n))
			}
		})
	}
	return func() {
		cancel()
		publishing.Wait()
	}
}

// disturb does some harm, with a pause after each.
func (f *fire) disturb(times int) {
	for range times {
		f.harm()
		time.Sleep(time.Duration(20+f.random.IntN(80)) * time.Millisecond) // the rhythm of the disturbance, nothing waits for it
	}
}

func (f *fire) harm() {
	p := f.proxies[f.random.IntN(len(f.proxies))]
	switch f.random.IntN(10) {
	case 0:
		p.Cut()
	case 1:
		p.Set(faultnet.Faults{ToClient: faultnet.Rule{Delay: time.Duration(f.random.IntN(50)) * time.Millisecond}})
	case 2:
		p.Set(faultnet.Faults{ToClient: faultnet.Rule{Action: faultnet.Hold}})
	case 3, 4:
		p.Set(faultnet.Faults{})
	case 5:
		for _, c := range p.Conns() {
			if f.random.IntN(4) == 0 {
				c.HalfOpen()
			}
		}
	case 6:
		_ = f.mute(true, 100*time.Millisecond) // fails while there is no leader
	case 7:
		_ = f.mute(false, 100*time.Millisecond)
	case 8:
		f.join()
	case 9:
		f.leave()
	}
}

func (f *fire) join() {
	if len(f.followers) >= 8 {
		return
	}
	target := newMapTarget(f.t)
	if f.random.IntN(2) == 0 {
		target.delay = time.Duration(f.random.IntN(200)) * time.Millisecond
	}
	follower, err := follow.New(connectSidecar(f.t, f.url), target, follow.Options{Environment: environment, Logger: testLogger})
	if err != nil {
		f.t.Fatal(err)
	}
	f.stops = append(f.stops, run(f.t, follower.Run))
	f.followers = append(f.followers, &running{Follower: follower, target: target})
}

// leave takes away the oldest follower.
func (f *fire) leave() {
	if len(f.followers) < 3 {
		return
	}
	f.stops[0]()
	f.followers, f.stops = f.followers[1:], f.stops[1:]
}

// mute makes the servers republish nothing, which loses what is written
// meanwhile for everybody who follows the feed.
func (f *fire) mute(on bool, within time.Duration) error {
	var info struct {
		Config map[string]any `json:"config"`
	}
	if err := f.call("STREAM.INFO."+flagsOf, nil, &info, within); err != nil || info.Config == nil {
		return fmt.Errorf("no settings: %w", err)
	}
	delete(info.Config, "republish")
	if !on {
		info.Config["republish"] = map[string]string{"src": "flags.prod.>", "dest": "feed.prod.>"}
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := f.call("STREAM.UPDATE."+flagsOf, info.Config, &answer, within); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("update: %s", answer.Error.Description)
	}
	return nil
}

func (f *fire) call(subject string, body, answer any, within time.Duration) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	reply, err := f.plain.Request("$JS.API."+subject, data, within)
	if err != nil {
		return err
	}
	return json.Unmarshal(reply.Data, answer)
}

func (f *fire) unmute() {
	f.t.Helper()
	eventually(f.t, func() (bool, string) {
		err := f.mute(false, 2*time.Second)
		return err == nil, fmt.Sprint("the feed to come back: ", err)
	})
}

// TestSlowConsumerCatchesUp blocks a follower until its subscription overflows:
// what was dropped there is filled.
func TestSlowConsumerCatchesUp(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: thousands of entries for one that is slow, which go test without it does")
	}
	t.Parallel()
	l := newLog(t)
	c := connectSidecar(t, l.server.URL())
	r := startFollowing(t, c, patient)
	r.until(t, "synced", isSynced)
	release := sync.OnceFunc(r.target.block())
	t.Cleanup(release)
	var head changelog.Position
	documents := make([]document.Document, changelog.MaxEntries)
	for i := range 18 { // the subscription holds 16,384
		for j := range documents {
			documents[j] = put(fmt.Sprint("flag-", j), strconv.Itoa(i))
		}
		head = l.write(t, documents...)
	}
	eventually(t, func() (bool, string) {
		return errors.Is(c.LastError(), nats.ErrSlowConsumer), fmt.Sprint("a slow consumer, got ", c.LastError())
	})
	release()
	r.reach(t, head.Revision)
	if r.target.count() != changelog.MaxEntries || r.target.StateDigest() != l.replay(t).StateDigest() {
		t.Errorf("%d documents, want those of a fresh replay", r.target.count())
	}
}
