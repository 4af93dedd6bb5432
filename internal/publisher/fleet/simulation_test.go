package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// tick is the step of the simulated time.
const tick = 100 * time.Millisecond

// simulation is a publisher's table and sidecars that report to it, in simulated time, with the truth about each.
type simulation struct {
	*rand.Rand

	t         *testing.T
	now       time.Time
	table     *fleet.Table
	made      time.Time // the table
	committed []time.Time
	sidecars  []*simulated
	share     uint32 // that the last heartbeat named
	pods      int
	seed      uint64
}

// simulated is a sidecar as it is, whatever anyone knows of it.
type simulated struct {
	boot, pod string
	n         uint64
	began     time.Time
	serves    uint64 // the truth
	told      uint64
	next      time.Time // whole report

	partitioned, paused, dead bool
	reachable                 time.Time // since when it is neither
	delivered                 time.Time // its last message to this table; zero if there was none
}

func newSimulation(t *testing.T, seed uint64, sidecars int) *simulation {
	t.Helper()
	s := &simulation{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, now: time.Now(), seed: seed}
	s.startPublisher()
	for range sidecars {
		s.start(s.newPod())
	}
	return s
}

func (s *simulation) newPod() string {
	s.pods++
	return fmt.Sprintf("pod-%d", s.pods)
}

// startPublisher has a publisher take the place of the one before, which knew everything that is lost now.
func (s *simulation) startPublisher() {
	s.table, s.made, s.share = fleet.New(fleet.Options{Gathering: fleet.Rebuilding}, s.now), s.now, 0
	s.table.Stand(at(s.head()), digest(s.head()))
	for _, sidecar := range s.sidecars {
		sidecar.delivered = time.Time{}
	}
}

// start starts a process, which begins with an older revision.
func (s *simulation) start(pod string) *simulated {
	serves := s.head() - min(s.head(), s.Uint64N(3))
	started := &simulated{boot: status.NewBoot(), pod: pod, began: s.now, next: s.now, serves: serves, reachable: s.now}
	s.sidecars = append(s.sidecars, started)
	return started
}

func (s *simulation) head() uint64 { return uint64(len(s.committed)) }

func (s *simulation) commit() {
	s.committed = append(s.committed, s.now)
	s.table.Committed(fleet.Change{Position: at(s.head()), State: digest(s.head())}, s.now)
}

func at(revision uint64) changelog.Position {
	if revision == 0 {
		return changelog.Position{}
	}
	return changelog.Position{Epoch: "00112233445566778899aabbccddeeff", Revision: revision, Digest: changelog.Sum(fmt.Append(nil, "entry", revision))}
}

func digest(revision uint64) changelog.Digest {
	return changelog.Sum(fmt.Append(nil, "state", revision))
}

// step lets a tick pass.
func (s *simulation) step() {
	s.now = s.now.Add(tick)
	s.share = s.table.Share()
	for _, sidecar := range s.sidecars {
		s.stepSidecar(sidecar)
	}
	s.table.Look(s.now)
}

func (s *simulation) stepSidecar(c *simulated) {
	if c.dead || c.paused {
		return
	}
	if !c.partitioned && c.serves < s.head() && s.IntN(4) > 0 {
		c.serves += 1 + s.Uint64N(s.head()-c.serves)
	}
	switch {
	case c.partitioned:
	case !s.now.Before(c.next):
		s.send(c, status.KindState)
		c.next = s.now.Add(8*time.Second + time.Duration(s.Int64N(int64(4*time.Second))))
	case c.told != c.serves && status.Within(c.boot, s.share):
		s.send(c, status.KindAck)
	}
}

func (s *simulation) send(c *simulated, kind status.Kind) {
	c.n++
	c.told, c.delivered = c.serves, s.now
	r := status.Report{Kind: kind, Boot: c.boot, N: c.n, Position: at(c.serves), UpMs: s.now.Sub(c.began).Milliseconds()}
	if c.serves > 0 {
		r.State = digest(c.serves)
	}
	if kind != status.KindAck {
		r.Identity = status.Identity{Namespace: "shop", Pod: c.pod}
	}
	s.table.Observe(r, s.now)
}

// disturb does something to the fleet, the network or the publisher.
func (s *simulation) disturb() {
	c := s.sidecars[s.IntN(len(s.sidecars))]
	switch s.IntN(12) {
	case 0, 1, 2:
		s.commit()
	case 3, 4:
		c.partitioned = !c.partitioned
		c.reachable = s.now
	case 5, 6:
		c.paused = !c.paused
		c.reachable = s.now
	case 7: // killed, and its pod started again
		if !c.dead {
			c.dead = true
			s.start(c.pod)
		}
	case 8: // killed for good
		c.dead = true
	case 9: // stopped in order
		if !c.dead && !c.paused && !c.partitioned {
			s.send(c, status.KindBye)
		}
		c.dead = true
	case 10:
		pod := s.newPod()
		if s.IntN(2) == 0 {
			pod = c.pod // which has two processes now
		}
		s.start(pod)
	case 11:
		if s.IntN(4) == 0 {
			s.startPublisher()
		}
	}
}

// oblivious is longer than the longest pause between two reports.
const oblivious = 12*time.Second + 2*tick

// knowable reports whether a table has to count a sidecar: one that lives, has reported to the table or was able to, and was not silent for so
// long that it counts as gone. One that is silent while its pod has a younger process is taken for its dead predecessor.
func (s *simulation) knowable(c *simulated) bool {
	since := slices.MaxFunc([]time.Time{c.reachable, c.began, s.made}, time.Time.Compare)
	reports := !c.partitioned && !c.paused && s.now.Sub(since) > oblivious
	switch {
	case c.dead:
		return false
	case c.delivered.IsZero(), s.hasSuccessor(c):
		return reports
	default:
		return s.now.Sub(c.delivered) <= fleet.GoneAfter
	}
}

func (s *simulation) hasSuccessor(c *simulated) bool {
	return slices.ContainsFunc(s.sidecars, func(other *simulated) bool { return other.pod == c.pod && other.began.After(c.began) })
}

// verify compares what the table says of each revision with the truth.
func (s *simulation) verify() {
	s.t.Helper()
	for revision := max(1, s.head()-min(s.head(), 3)); revision <= s.head(); revision++ {
		told := s.table.Convergence(at(revision), s.now)
		if !told.Converged(100) {
			continue
		}
		for _, c := range s.sidecars {
			if s.knowable(c) && c.serves < revision {
				s.t.Fatalf("seed %d: revision %d is called converged by %d sidecars, and %s (%+v) serves %d", s.seed, revision, told.Of, c.pod, *c, c.serves)
			}
			remarked := slices.ContainsFunc(told.Lost, func(g fleet.Gone) bool { return g.Boot == c.boot })
			if known := !c.delivered.IsZero(); known && !c.dead && c.serves < revision && !remarked {
				s.t.Fatalf("seed %d: revision %d is called converged, and no remark is made of %s (%+v), which serves %d", s.seed, revision, c.pod, *c, c.serves)
			}
		}
		if s.now.Sub(s.made) < fleet.Rebuilding {
			s.t.Fatalf("seed %d: converged %s after the start of the publisher", s.seed, s.now.Sub(s.made))
		}
	}
	for revision := uint64(1); revision <= s.head(); revision++ {
		if serving, known := s.table.Serving(at(revision).Token()); known && serving.Everywhere && serving.After > s.now.Sub(s.committed[revision-1]) {
			s.t.Fatalf("seed %d: revision %d was served after %s, and committed %s ago", s.seed, revision, serving.After, s.now.Sub(s.committed[revision-1]))
		}
	}
}

// Whatever happens to sidecars, the network and publishers: nothing is called converged that is not. When everything is well again, it is.
func TestNoFalseConvergence(t *testing.T) {
	t.Parallel()
	schedules := uint64(40)
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		schedules = 2000
	}
	converged := 0
	for seed := range schedules {
		s := newSimulation(t, seed, 3+int(seed%20))
		for range 900 {
			if s.IntN(15) == 0 {
				s.disturb()
			}
			s.step()
			s.verify()
			if s.head() > 0 && s.table.Convergence(at(s.head()), s.now).Converged(100) {
				converged++
			}
		}
		s.heal()
	}
	if converged == 0 {
		t.Error("nothing has ever converged, so nothing was tried")
	}
}

// heal repairs everything, and waits until the fleet is known and current.
func (s *simulation) heal() {
	s.t.Helper()
	s.start(s.newPod())
	s.commit()
	for _, c := range s.sidecars {
		c.partitioned, c.paused = false, false
	}
	for range int((fleet.GoneAfter + 2*fleet.Rebuilding) / tick) {
		s.step()
	}
	alive := 0
	for _, c := range s.sidecars {
		if !c.dead {
			alive++
		}
	}
	if told := s.table.Convergence(at(s.head()), s.now); !told.Converged(100) || told.Of != alive {
		s.t.Fatalf("seed %d: of %d sidecars, %d are known, and %d serve the newest revision: %+v", s.seed, alive, told.Of, told.Served, told.Stragglers)
	}
}

// A thousand sidecars: three are cut off, two stand still, and one is killed before a change. They are named, and no others.
func TestStragglersAreNamed(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 7, 1000)
	s.commit()
	for range int(fleet.Rebuilding/tick) + 1 {
		s.step()
	}
	if told := s.table.Convergence(at(1), s.now); !told.Converged(100) || told.Of != 1000 {
		t.Fatalf("%d of %d serve the first revision", told.Served, told.Of)
	}
	wanted := make(map[string]bool)
	for i, c := range s.sidecars[100:106] {
		c.partitioned, c.paused, c.dead = i < 3, i == 3 || i == 4, i == 5
		wanted[c.pod] = true
	}
	s.commit()
	named := func(why fleet.Standing) {
		t.Helper()
		told := s.table.Convergence(at(2), s.now)
		if told.Served != 994 || len(told.Stragglers) != len(wanted) {
			t.Errorf("%d of %d serve it, %d are named", told.Served, told.Of, len(told.Stragglers))
		}
		for _, late := range told.Stragglers {
			if pod := late.Sidecar.Report.Identity.Pod; !wanted[pod] || late.Why != why {
				t.Errorf("%s is named as %s, want %s", pod, late.Why, why)
			}
		}
		if told.Converged(100) || !told.Converged(99) {
			t.Errorf("%d of %d: converged %v, for 99 %%: %v", told.Served, told.Of, told.Converged(100), told.Converged(99))
		}
	}
	for range 20 {
		s.step()
	}
	named(fleet.Behind)
	for range int(fleet.SilentAfter / tick) {
		s.step()
	}
	named(fleet.Silent)
	if serving, known := s.table.Serving(at(2).Token()); !known || serving.Everywhere || serving.Acks != 994 || serving.Median <= 0 || serving.P99 < serving.Median {
		t.Errorf("it was served so: %+v", serving)
	}
	for range int(fleet.GoneAfter / tick) {
		s.step()
	}
	if told := s.table.Convergence(at(2), s.now); !told.Converged(100) || told.Of != 994 {
		t.Errorf("%d of %d serve it once those who are silent are gone", told.Served, told.Of)
	}
	gone := s.table.Fleet(s.now).Gone
	if len(gone) != 6 || gone[0].Why != fleet.Unheard {
		t.Errorf("gone: %+v", gone)
	}
}
