package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// TestFollowerAgainstModel runs followers in virtual time against servers that
// lose, repeat, delay and cut whatever they send, and compares all they do with
// the log as a plain list: what is applied is always a prefix of whole
// transactions, no claim to be current is ever wrong, and when the servers
// behave again everybody becomes current.
func TestFollowerAgainstModel(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		var all explored
		n := seeds(100, 5000)
		for seed := range n {
			all.add(modelRun(t, uint64(seed)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		t.Logf("%d seeds: %+v", n, all)
		if all.steps == 0 || all.gaps == 0 || all.connections <= n || all.barriers == 0 || all.entries == 0 {
			t.Errorf("something never happened: %+v", all)
		}
	})
}

// explored is what happened in runs of the model.
type explored struct{ steps, entries, gaps, connections, barriers, refusals int }

func (e *explored) add(other explored) {
	e.steps += other.steps
	e.entries += other.entries
	e.gaps += other.gaps
	e.connections += other.connections
	e.barriers += other.barriers
	e.refusals += other.refusals
}

// Slack of what a beat proves: the leader's answer in it may be a second old, a
// publisher that is slow sends it a second later, and a beat takes its time.
const (
	modelLatency = 200 * time.Millisecond
	beatSlack    = 2*time.Second + modelLatency
)

// model is a world, and one follower of it.
type model struct {
	t        *testing.T
	random   *rand.Rand
	world    *world
	conn     *flagsync.Conn
	follower *flagsync.Follower
	target   *modelTarget
	stop     func()
	asking   sync.WaitGroup
	answered atomic.Int64 // barriers that succeeded
	failed   atomic.Int64 // barriers that did not
	gaps     int
}

func modelRun(t *testing.T, seed uint64) explored {
	t.Helper()
	m := &model{t: t, random: rand.New(rand.NewPCG(seed, 3)), world: newWorld(t, rand.New(rand.NewPCG(seed, 4)))}
	for range m.random.IntN(40) {
		m.world.write()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var err error
	m.conn, err = flagsync.Connect(ctx, flagsync.ConnectOptions{Server: m.world.wire, Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	m.target = &modelTarget{t: t, world: m.world}
	m.start()

	beating := make(chan struct{})
	go func() {
		defer close(beating)
		for ctx.Err() == nil {
			m.world.beat()
			time.Sleep(time.Second)
		}
	}()
	const steps = 150
	for range steps {
		m.step()
		time.Sleep(time.Duration(m.random.Int64N(int64(400 * time.Millisecond))))
		m.verify()
	}
	m.calm()
	cancel()
	<-beating
	m.asking.Wait()
	m.stop()
	m.conn.Close()
	m.world.wire.cut()
	return explored{
		steps: steps, entries: int(m.world.head().Revision), gaps: m.gaps, connections: len(m.world.wire.tried()),
		barriers: int(m.answered.Load()), refusals: int(m.failed.Load()),
	}
}

// start follows from where the target stands.
func (m *model) start() {
	f, err := flagsync.NewFollower(m.conn, m.target, flagsync.FollowerOptions{Environment: environment, Logger: testLogger})
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	m.follower = f
	m.stop = func() {
		m.gaps += int(f.Status().Gaps)
		cancel()
		if err := <-done; err != nil {
			m.t.Errorf("Run returned %v", err)
		}
	}
}

// step does one thing of all that can happen.
func (m *model) step() {
	switch m.random.IntN(24) {
	default:
		for range 1 + m.random.IntN(3) {
			m.world.write()
		}
	case 0:
		m.world.newEpoch()
	case 1:
		m.world.wire.cut()
	case 2:
		if m.random.IntN(3) == 0 {
			m.world.wire.blackHole()
		}
	case 3, 4:
		m.world.wire.setRefuse(m.random.IntN(4) == 0)
	case 5, 6:
		m.world.setFaults(m.randomFaults())
	case 7, 8:
		m.world.setFaults(worldFaults{})
	case 9, 10:
		m.target.setRefuse(m.random.IntN(4) == 0)
	case 11, 12, 13:
		m.asking.Go(m.barrier)
	case 14:
		if m.random.IntN(4) == 0 { // as after a restart
			m.stop()
			m.start()
		}
	}
}

func (m *model) randomFaults() worldFaults {
	percent := func(most int) int { return m.random.IntN(2) * m.random.IntN(most+1) }
	return worldFaults{
		loseFeed: percent(100), repeatFeed: percent(50), lateFeed: percent(100),
		loseBeat: percent(100), oldBeat: percent(50),
		stale: percent(90), silence: percent(60), noMajority: percent(80),
		latency: time.Duration(1 + m.random.Int64N(int64(modelLatency))),
	}
}

// barrier makes a barrier, which may succeed only when everything is applied
// that was committed before.
func (m *model) barrier() {
	want := m.world.head()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := m.follower.Barrier(ctx); err != nil {
		m.failed.Add(1)
		return
	}
	m.answered.Add(1)
	if got := m.target.Position(); got.Revision < want.Revision {
		m.t.Errorf("after a barrier %d is applied, %d was committed before it", got.Revision, want.Revision)
	}
}

// verify compares what the follower says with the log.
func (m *model) verify() {
	s := m.follower.Status()
	if s.Applied.Revision > 0 {
		want, _, whole := m.world.at(s.Applied.Revision)
		if s.Applied != want || !whole {
			m.t.Errorf("applied %+v, the log has %+v there, the end of a transaction: %t", s.Applied, want, whole)
		}
	}
	if s.AgeKnown {
		if known := m.world.before(s.LastConfirmed.Add(-beatSlack)); s.Applied.Revision < known {
			m.t.Errorf("everything up to %s is said to be applied; %d is, and %d was committed %s before",
				s.LastConfirmed, s.Applied.Revision, known, beatSlack)
		}
	}
	if s.DifferentHistory != nil || s.DifferentState != nil || s.Unreadable != nil || s.Fragments != 0 {
		m.t.Errorf("a log that is as it must be is charged: %+v", s)
	}
}

// calm ends all faults: soon everything must be applied and known to be.
func (m *model) calm() {
	m.world.setFaults(worldFaults{})
	m.world.wire.setRefuse(false)
	m.target.setRefuse(false)
	m.world.write()
	head := m.world.head()
	deadline := time.Now().Add(time.Minute)
	for {
		s := m.follower.Status()
		if s.Applied == head && s.Synced && s.AgeKnown && s.Age < 2*time.Second && s.Hole == nil {
			break
		}
		if time.Now().After(deadline) {
			m.t.Errorf("a minute after the last fault the head is %+v and the follower %+v", head, s)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, state, _ := m.world.at(head.Revision)
	if m.target.StateDigest() != state {
		m.t.Errorf("the state is %s, that of the log %s", m.target.StateDigest(), state)
	}
	m.verify()
}

// modelTarget compares each transaction with the log as it is applied.
type modelTarget struct {
	t     *testing.T
	world *world

	mu        sync.Mutex
	position  changelog.Position
	documents map[changelog.ID]changelog.Document
	refuse    bool
}

func (m *modelTarget) setRefuse(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = on
}

func (m *modelTarget) Position() changelog.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position
}

func (m *modelTarget) Apply(transactions []changelog.Transaction) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		return errors.New("the target refuses")
	}
	if m.documents == nil {
		m.documents = make(map[changelog.ID]changelog.Document)
	}
	for _, tx := range transactions {
		for _, r := range tx {
			if r.Revision != m.position.Revision+1 {
				return fmt.Errorf("revision %d after %d", r.Revision, m.position.Revision)
			}
			delete(m.documents, r.ID())
			if r.Put != nil {
				m.documents[r.ID()] = r.Document()
			}
			m.position = r.Position()
		}
		if want, state, whole := m.world.at(m.position.Revision); m.position != want || !whole || m.sum() != state {
			m.t.Errorf("applied %+v, the log has %+v, the end of a transaction: %t", m.position, want, whole)
		}
	}
	return nil
}

func (m *modelTarget) sum() (state changelog.Digest) {
	for _, d := range m.documents {
		state = state.Toggle(d)
	}
	return state
}

// Load is never called: the log is whole.
func (m *modelTarget) Load(*changelog.SnapshotReader) error {
	m.t.Error("a snapshot is loaded although nothing is wrong with the log")
	return errors.New("no snapshot is wanted")
}

func (m *modelTarget) Synced() {}

func (m *modelTarget) StateDigest() changelog.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum()
}
