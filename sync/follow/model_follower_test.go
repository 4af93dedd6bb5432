package follow_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// TestFollowerAgainstModel runs followers in virtual time against servers that
// lose, repeat, delay and cut whatever they send, and compares all they do with
// the log as a plain list: what is applied is always a prefix of whole
// transactions, no claim to be current is ever wrong, and when the servers
// behave again everybody becomes current.
func TestFollowerAgainstModel(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		all := modelRuns(t, seeds(50, 5000), false)
		if all.gaps == 0 || all.connections <= all.seeds || all.barriers == 0 || all.entries == 0 || all.loads == 0 || all.rebuilds == 0 {
			t.Errorf("something never happened: %+v", all)
		}
	})
}

// TestFollowerAgainstModelOfHistories does the same while the log is deleted,
// recreated, restored, forked, renewed and holed, and published snapshots are
// stale, damaged or of a log that is gone: what is applied is always a whole
// state that some log had, it moves along the log or, for a new epoch that is
// complete, to another, never back; a follower that cannot go on says why, claims
// nothing, and goes on when a new epoch is written.
func TestFollowerAgainstModelOfHistories(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		all := modelRuns(t, seeds(80, 5000), true)
		for f := current; f <= holed; f++ {
			rare := f == nothing || f == forked || f == holed // few seeds may come to none
			if all.fates[f] == 0 && (!rare || soaking() && f != nothing) {
				t.Errorf("no follower ended %s: %v", f, all.fates)
			}
		}
		if all.takeovers == 0 || all.loads == 0 {
			t.Errorf("something never happened: %+v", all)
		}
	})
}

// modelRuns runs seeds from the first, or the one that the environment names.
func modelRuns(t *testing.T, n int, histories bool) explored {
	t.Helper()
	all := explored{fates: make(map[fate]int), noises: make(map[string]int)}
	first, last := 0, n
	if only, err := strconv.Atoi(os.Getenv("FLAGSIDE_TEST_SEED")); err == nil {
		first, last = only, only+1
	}
	for seed := first; seed < last; seed++ {
		all.add(modelRun(t, uint64(seed), histories))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%+v", all)
	return all
}

// explored is what happened in runs of the model.
type explored struct {
	seeds, steps, entries, gaps, connections, barriers, refusals, takeovers, loads int

	damages, rebuilds, keys int

	fates  map[fate]int   // that followers came to when they were left alone
	noises map[string]int // kinds of messages that no publisher signed
}

func (e *explored) add(other explored) {
	e.seeds++
	e.steps += other.steps
	e.entries += other.entries
	e.gaps += other.gaps
	e.connections += other.connections
	e.barriers += other.barriers
	e.refusals += other.refusals
	e.takeovers += other.takeovers
	e.loads += other.loads
	e.damages += other.damages
	e.keys += other.keys
	e.rebuilds += other.rebuilds
	for name, n := range other.noises {
		e.noises[name] += n
	}
	for f, n := range other.fates {
		e.fates[f] += n
	}
}

// Slack of what a beat proves: the leader's answer in it may be a second old, a
// publisher that is slow sends it a second later, and a beat takes its time.
const (
	modelLatency = 200 * time.Millisecond
	beatSlack    = 2*time.Second + modelLatency
)

// model is a world, and one follower of it.
type model struct {
	t         *testing.T
	random    *rand.Rand
	world     *world
	histories bool // other logs may take the place of the first
	publisher bool // the follower is one's
	noisy     bool // there are messages that no publisher signed
	conn      *flagsync.Conn
	follower  *follow.Follower
	target    *modelTarget
	stop      func()
	asking    sync.WaitGroup
	turns     uint64       // of the follower's loop, when it was looked at last
	looked    time.Time    // when that was
	confirmed time.Time    // what the follower said last
	answered  atomic.Int64 // barriers that succeeded
	failed    atomic.Int64 // barriers that did not
	explored  explored
}

func modelRun(t *testing.T, seed uint64, histories bool) explored {
	t.Helper()
	m := &model{
		t: t, random: rand.New(rand.NewPCG(seed, 3)), world: newWorld(t, rand.New(rand.NewPCG(seed, 4))), histories: histories,
		explored: explored{fates: make(map[fate]int)},
	}
	m.publisher, m.noisy = m.random.IntN(4) == 0, m.random.IntN(4) != 0
	for range m.random.IntN(40) {
		m.world.write()
	}
	if m.random.IntN(2) == 0 {
		m.world.publish()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m.connect()
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
	e := m.explored
	e.damages += m.target.damages
	e.keys = int(m.world.keys.note.Version)
	e.steps, e.entries, e.connections, e.loads = steps, len(m.world.written), len(m.world.wire.tried()), e.loads+m.target.loads
	e.noises = m.world.noises
	e.barriers, e.refusals = int(m.answered.Load()), int(m.failed.Load())
	return e
}

// start follows from where the target stands, as a process does that begins.
func (m *model) start() {
	f, err := follow.New(m.conn, m.target, follow.Options{
		Environment: environment, HoldAtHole: m.publisher, Logger: testLogger,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	f.Tune(early)
	m.target.begin()
	m.confirmed, m.turns = time.Time{}, 0
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	m.follower = f
	m.stop = func() {
		s := f.Status()
		m.explored.gaps += int(s.Gaps)
		m.explored.takeovers += int(s.StateTransfers)
		m.explored.rebuilds += int(s.Rebuilds)
		cancel()
		if err := <-done; err != nil {
			m.t.Errorf("Run returned %v", err)
		}
	}
}

// step does one thing of all that can happen.
func (m *model) step() {
	if m.histories && m.random.IntN(20) == 0 {
		m.harm()
		return
	}
	if m.noisy && m.random.IntN(6) == 0 {
		m.disturb()
		return
	}
	switch m.random.IntN(26) {
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
		f := m.follower
		target := m.target
		m.asking.Go(func() { m.barrier(f, target) })
	case 14:
		if m.random.IntN(3) == 0 { // as after a restart
			m.stop()
			m.start()
		}
	case 15:
		m.world.publish()
	case 16:
		m.world.spoil()
	case 17:
		if !m.histories && m.random.IntN(2) == 0 { // where something is applied after it: that is what shows it
			m.target.damage()
		}
	case 18:
		if !m.histories { // snapshots that a retired key signed are no way out any more
			m.world.rotate()
		}
	case 19:
		if m.random.IntN(4) == 0 {
			m.replace()
		}
	}
}

// replace lets another sidecar take the place of the one that follows, which has
// nothing and has seen no keys note.
func (m *model) replace() {
	m.stop()
	m.conn.Close()
	m.connect()
	m.explored.loads += m.target.loads
	m.explored.damages += m.target.damages
	m.target = &modelTarget{t: m.t, world: m.world}
	m.start()
}

func (m *model) connect() {
	var err error
	if m.conn, err = flagsync.Connect(context.Background(), m.world.connecting()); err != nil {
		m.t.Fatal(err)
	}
}

// disturb puts messages that no publisher signed wherever messages can be put.
func (m *model) disturb() {
	switch m.random.IntN(6) {
	case 0:
		m.world.makeFeedNoise()
	case 1:
		m.world.makeBeatNoise()
	case 2:
		m.world.forgeSnapshots()
	default:
		m.world.makeNoise()
	}
}

// harm does something to the log that no publisher does by itself.
func (m *model) harm() {
	switch m.random.IntN(11) {
	case 0:
		m.world.remove()
	case 1:
		m.world.recreate(false)
	case 2:
		m.world.recreate(true)
	case 3:
		m.world.restore()
	case 4, 5: // forked
		m.world.restore()
		for range m.random.IntN(40) {
			m.world.write()
		}
	case 6, 7:
		m.world.punch()
	case 8:
		m.world.renew(false)
	default:
		m.world.renew(true)
	}
}

func (m *model) randomFaults() worldFaults {
	percent := func(most int) int { return m.random.IntN(2) * m.random.IntN(most+1) }
	return worldFaults{
		loseFeed: percent(100), repeatFeed: percent(50), lateFeed: percent(100),
		loseBeat: percent(100), oldBeat: percent(50),
		stale: percent(90), silence: percent(60), noMajority: percent(80), misdated: percent(20),
		latency: time.Duration(1 + m.random.Int64N(int64(modelLatency))),
	}
}

// barrier makes a barrier, which may succeed only when everything is applied
// that was committed before.
func (m *model) barrier(f *follow.Follower, target *modelTarget) {
	want, generation := m.world.head(), m.world.replacements()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := f.Barrier(ctx); err != nil {
		m.failed.Add(1)
		return
	}
	m.answered.Add(1)
	if got := target.Position(); m.world.replacements() == generation && !m.world.contains(got, want) {
		m.t.Errorf("after a barrier %+v is applied, %+v was committed before it", got, want)
	}
}

// verify compares what the follower says with all logs that there were.
func (m *model) verify() {
	m.verifyTurns()
	s, positions := m.follower.Status(), m.target.recent()
	if found, ok := m.world.look(s.Applied); !s.Applied.IsZero() && (!ok || !found.whole) {
		m.t.Errorf("applied %+v, in some log: %t, a whole state: %t", s.Applied, ok, found.whole)
	}
	if !s.LastConfirmed.Equal(m.confirmed) {
		m.confirmed = s.LastConfirmed
		if !m.world.proves(positions, s.LastConfirmed.Add(-beatSlack)) {
			m.t.Errorf("everything up to %s is said to be applied; %+v is, of a log that ends with %+v",
				s.LastConfirmed, s.Applied, m.world.head())
		}
	}
	if s.DifferentState != nil && m.target.damages == 0 || s.Unreadable != nil || s.Fragments != 0 {
		m.t.Errorf("what is never wrong with the log is charged: %+v", s)
	}
	wrong := errors.Is(s.DifferentHistory, follow.ErrForked) || errors.Is(s.DifferentHistory, follow.ErrRegressed)
	holed := s.Hole != nil && !strings.Contains(s.Hole.Error(), "the leader cannot be asked") // for so long that it must be said
	if !m.histories && (wrong || holed || s.StreamMissing) {
		m.t.Errorf("a log that is as it must be is charged: %+v", s)
	}
}

// verifyTurns counts how often the follower has looked at what it knows: it
// never does so without a reason, whatever stands in the log.
func (m *model) verifyTurns() {
	turns, now := m.follower.Turns(), time.Now()
	most := 500 + uint64(1000*now.Sub(m.looked).Seconds())
	if did := turns - m.turns; turns > m.turns && !m.looked.IsZero() && did > most {
		m.t.Errorf("the follower went round %d times in %s: %+v", did, now.Sub(m.looked), m.follower.Status())
	}
	m.turns, m.looked = turns, now
}

// calm ends all faults. Soon the follower must be current, or say rightly why
// it is not; after a new epoch, which an operator would write then, it
// must be current.
func (m *model) calm() {
	m.world.setFaults(worldFaults{})
	m.world.wire.setRefuse(false)
	m.target.setRefuse(false)
	m.world.write()
	if m.noisy && m.random.IntN(2) == 0 {
		m.world.makeNoise()
	}
	if !m.histories {
		m.becomes(current)
		return
	}
	if m.random.IntN(2) == 0 {
		time.Sleep(10 * time.Second) // that are enough to be current
		m.harm()
		if m.random.IntN(2) == 0 {
			m.stop()
			m.start()
		}
	}
	time.Sleep(time.Minute)
	m.verify()
	to, f := m.destiny()
	if at := m.target.Position(); f == current && to != at {
		m.t.Errorf("it stays at %+v although it could go to %+v: %+v", at, to, m.follower.Status())
	}
	m.explored.fates[f]++
	m.becomes(f)
	if f != current && !m.t.Failed() {
		m.world.renew(true)
		m.becomes(current)
	}
}

// destiny returns where the follower has to go, and what it has to say then. Of
// what it has received beyond what is applied only the revision is known, and of
// the newest epoch not whether a heartbeat has named it, and of lost noise not
// whether it was looked at, nor whether a keys note has been seen: where that makes a difference, either will do.
func (m *model) destiny() (to changelog.Position, f fate) {
	s := m.follower.Status()
	for _, at := range m.received(s) {
		for guess := range 8 {
			to, f = m.world.next(knowledge{at: at, holdAtHole: m.publisher, told: guess&1 == 0, seen: guess&2 != 0, keyless: guess&4 != 0})
			if m.says(f, s) && (f != current || to == s.Applied) {
				return to, f
			}
		}
	}
	return to, f
}

// received returns the positions that the entry that was received last may have.
func (m *model) received(s follow.Status) []changelog.Position {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	var may []changelog.Position
	for p := range m.world.written {
		if s.Received > s.Applied.Revision && p.Revision == s.Received && m.world.within(p, s.Applied) {
			may = append(may, p)
		}
	}
	if may == nil {
		may = append(may, s.Applied)
	}
	return may
}

// becomes waits until a follower that is left alone has met its fate, and says
// so.
func (m *model) becomes(f fate) {
	deadline := time.Now().Add(time.Minute)
	for !m.says(f, m.follower.Status()) {
		if time.Now().After(deadline) {
			m.t.Errorf("a minute after the last fault, with the log at %+v, it is not %s: %+v", m.world.head(), f, m.follower.Status())
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.verify()
}

// says reports whether a status is that of a fate and of no other.
func (m *model) says(f fate, s follow.Status) bool {
	fresh := s.Synced && s.AgeKnown && s.Age < 2*time.Second
	charged := s.DifferentHistory != nil || s.Hole != nil
	are := func(sentinels ...error) bool {
		for _, one := range []error{follow.ErrRegressed, follow.ErrForked, follow.ErrIncomplete} {
			if errors.Is(s.DifferentHistory, one) != slices.Contains(sentinels, one) {
				return false
			}
		}
		return !fresh && s.Hole == nil && errors.Is(s.DifferentHistory, changelog.ErrDifferentHistory)
	}
	if s.Applied.IsZero() && (f == different || f == incomplete || f == holed) {
		return charged && !fresh // what it meets first, and is charged, depends on which keys it knows by then
	}
	switch f {
	case current:
		head := m.world.head()
		found, _ := m.world.look(head)
		return s.Applied == head && fresh && !charged && !s.StreamMissing && m.target.StateDigest() == found.state
	case nothing:
		return s.Applied.IsZero() && !s.Synced && !s.AgeKnown && !charged
	case missing:
		return s.StreamMissing && !fresh
	case regressed:
		return are(follow.ErrRegressed)
	case forked:
		return are(follow.ErrForked)
	case incomplete:
		return are(follow.ErrIncomplete) || m.world.holedOnce() && are() // beside a hole an entry of another log cannot be told
	case different:
		return are()
	default:
		return s.Hole != nil && s.DifferentHistory == nil && !fresh
	}
}
