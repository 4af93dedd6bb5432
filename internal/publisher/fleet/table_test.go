package fleet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// fixture is a table that is complete, and its time.
type fixture struct {
	*fleet.Table

	t   *testing.T
	now time.Time
	n   map[string]uint64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	now := time.Now()
	f := &fixture{t: t, now: now, n: make(map[string]uint64), Table: fleet.New(fleet.Options{Gathering: fleet.Rebuilding}, now)}
	f.Stand(at(1), digest(1))
	f.pass(fleet.Rebuilding)
	return f
}

func (f *fixture) pass(d time.Duration) { f.now = f.now.Add(d) }

// report has the sidecar of a pod report that it serves a revision.
func (f *fixture) report(pod string, revision uint64, changes ...func(*status.Report)) status.Report {
	f.n[pod]++
	r := status.Report{Kind: status.KindState, Boot: bootOf(pod), N: f.n[pod], Position: at(revision), State: digest(revision), Identity: status.Identity{Pod: pod, Program: "v1"}}
	for _, change := range changes {
		change(&r)
	}
	f.Observe(r, f.now)
	return r
}

func bootOf(pod string) string { return (pod + strings.Repeat("A", 26))[:26] }

// standings returns where each sidecar stands, by pod.
func (f *fixture) standings() map[string]fleet.Standing {
	all := make(map[string]fleet.Standing)
	for _, s := range f.Fleet(f.now).Sidecars {
		all[s.Report.Identity.Pod] = s.Standing
	}
	return all
}

// why returns why the sidecar of a pod does not serve a revision.
func (f *fixture) why(pod string, revision uint64) fleet.Standing {
	for _, late := range f.Convergence(at(revision), f.now).Stragglers {
		if late.Sidecar.Report.Identity.Pod == pod {
			return late.Why
		}
	}
	return ""
}

func (f *fixture) expect(pod string, want fleet.Standing) {
	f.t.Helper()
	if got := f.standings()[pod]; got != want {
		f.t.Errorf("%s stands %q, want %q", pod, got, want)
	}
}

func TestStandings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now)
	f.report("current", 2)
	f.report("behind", 1)
	f.report("diverged", 2, func(r *status.Report) { r.State = digest(3) })
	f.report("forked", 2, func(r *status.Report) { r.Position.Digest = digest(9) })
	f.report("elsewhere", 2, func(r *status.Report) { r.Position.Epoch = "ffffffffffffffffffffffffffffffff" })
	f.report("silent", 2)
	f.report("empty", 0, func(r *status.Report) { r.State = changelog.Digest{} })
	f.pass(fleet.SilentAfter + time.Second)
	for pod, want := range map[string]fleet.Standing{"current": fleet.Current, "behind": fleet.Behind, "diverged": fleet.Diverged, "forked": fleet.Diverged, "elsewhere": fleet.Behind, "empty": fleet.Behind} {
		f.n[pod]++
		f.Observe(status.Report{Kind: status.KindState, Boot: bootOf(pod), N: f.n[pod], Identity: status.Identity{Pod: pod}, Position: f.positionOf(pod), State: f.stateOf(pod)}, f.now)
		f.expect(pod, want)
	}
	f.expect("silent", fleet.Silent)
	if told := f.Convergence(at(2), f.now); told.Served != 2 || told.Of != 7 { // the silent one said that it serves it
		t.Errorf("%d of %d serve it", told.Served, told.Of)
	}
	for pod, want := range map[string]fleet.Standing{"current": "", "silent": "", "behind": fleet.Behind, "diverged": fleet.Diverged, "elsewhere": fleet.Behind} {
		if got := f.why(pod, 2); got != want {
			t.Errorf("%s does not serve it because it is %q, want %q", pod, got, want)
		}
	}
}

func (f *fixture) positionOf(pod string) changelog.Position {
	for _, s := range f.Fleet(f.now).Sidecars {
		if s.Report.Identity.Pod == pod {
			return s.Report.Position
		}
	}
	return changelog.Position{}
}

func (f *fixture) stateOf(pod string) changelog.Digest {
	for _, s := range f.Fleet(f.now).Sidecars {
		if s.Report.Identity.Pod == pod {
			return s.Report.State
		}
	}
	return changelog.Digest{}
}

// A sidecar that could not compile what a change has does not serve the change, whatever its revision. What it refuses else does not matter.
func TestRefusedDocumentsAreNotServed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	flag := func(key string) []document.ID { return []document.ID{{Kind: document.KindFlag, Key: key}} }
	f.Committed(fleet.Change{Position: at(2), State: digest(2), IDs: flag("a")}, f.now)
	f.Committed(fleet.Change{Position: at(3), State: digest(3), IDs: flag("b")}, f.now)
	f.Committed(fleet.Change{Position: at(4), State: digest(4), IDs: []document.ID{{Kind: document.KindSegment, Key: "s"}}}, f.now)
	f.report("one", 4, func(r *status.Report) { r.Refused, r.RefusedKeys = 1, []string{"a"} })
	f.report("two", 4)
	for revision, want := range map[uint64]fleet.Standing{2: fleet.Refused, 3: "", 4: fleet.Refused} { // a flag may depend on the segment
		if got := f.why("one", revision); got != want {
			t.Errorf("revision %d: %q, want %q", revision, got, want)
		}
	}
	f.report("one", 4, func(r *status.Report) { r.Refused, r.RefusedKeys = 2, []string{"a"} })
	if got := f.why("one", 3); got != fleet.Refused {
		t.Errorf("one of the documents is not named, and it is %q", got)
	}
	f.report("one", 4, func(r *status.Report) { r.Kind = status.KindAck })
	if told := f.Convergence(at(4), f.now); !told.Converged(100) {
		t.Errorf("an acknowledgement says that nothing is refused, and %d of %d serve it", told.Served, told.Of)
	}
}

func TestSidecarsGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.report("stopped", 1)
	f.report("stopped", 1, func(r *status.Report) { r.Kind = status.KindBye })
	f.report("killed", 1)
	f.pass(2 * time.Second)
	f.n["killed"] = 0
	f.report("killed", 1, func(r *status.Report) { r.Boot = bootOf("again") })
	f.report("lost", 1)
	if len(f.standings()) != 2 || len(f.Fleet(f.now).Sidecars) != 3 {
		t.Errorf("there are %v", f.standings())
	}
	f.pass(fleet.Rebuilding + time.Second) // the first process of the pod would have reported by now
	if n := len(f.Fleet(f.now).Sidecars); n != 2 {
		t.Errorf("there are %d", n)
	}
	f.pass(fleet.GoneAfter)
	f.Look(f.now)
	var why []string
	for _, g := range f.Fleet(f.now).Gone {
		why = append(why, g.Identity.Pod+" "+string(g.Why))
	}
	if n := len(f.Fleet(f.now).Sidecars); n != 0 || len(why) != 3 {
		t.Errorf("there are %d, and gone are %v", n, why)
	}
	// Two processes of one pod that both report stay.
	for range 10 {
		f.report("both", 1)
		f.pass(5 * time.Second)
		f.report("both", 1, func(r *status.Report) { r.Boot = bootOf("other") })
		f.pass(5 * time.Second)
	}
	if n := len(f.Fleet(f.now).Sidecars); n != 2 {
		t.Errorf("there are %d processes of one pod, want 2", n)
	}
}

// What comes late or again changes nothing. A process counts from its first message, although only a whole report says who it is.
func TestOldReportsAreDropped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now)
	f.report("unknown", 2, func(r *status.Report) { r.Kind = status.KindAck })
	old := f.report("one", 1)
	f.report("one", 2)
	f.Observe(old, f.now)
	f.expect("one", fleet.Current)
	if all := f.Fleet(f.now).Sidecars; len(all) != 2 || all[0].Report.Identity.Pod != "" || all[0].Report.Boot != bootOf("unknown") {
		t.Errorf("there are %+v", all)
	}
	f.report("unknown", 2)
	f.expect("unknown", fleet.Current)
}

// However many processes someone invents, the table holds so many, and silent ones make room. While it is too small, nothing converges.
func TestTheTableIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range fleet.MaxSidecars {
		f.report(fmt.Sprintf("P%d-", i), 1)
	}
	if told := f.Convergence(at(1), f.now); !told.Converged(100) || told.Of != fleet.MaxSidecars {
		t.Fatalf("%d of %d serve it", told.Served, told.Of)
	}
	f.report("late-", 1)
	if told := f.Convergence(at(1), f.now); told.Converged(100) || told.Of != fleet.MaxSidecars || f.Counts().TurnedOff != 1 {
		t.Errorf("%d of %d serve it, %+v", told.Served, told.Of, f.Counts())
	}
	f.pass(fleet.SilentAfter + time.Second)
	f.report("late-", 1)
	if told := f.Convergence(at(1), f.now); told.Converged(100) || told.Of != fleet.MaxSidecars || f.Counts().Displaced != 1 {
		t.Errorf("%d of %d serve it, %+v", told.Served, told.Of, f.Counts())
	}
	if _, known := f.Complete(f.now); known {
		t.Error("the table counts as complete")
	}
}

func TestShares(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, test := range []struct{ sidecars, share int }{{0, status.WholeShare}, {1000, status.WholeShare}, {2000, status.WholeShare / 2}, {10_000, status.WholeShare / 10}} {
		for i := range test.sidecars {
			f.report(fmt.Sprintf("P%d-", i), 1)
		}
		if got := f.Share(); got != uint32(test.share) {
			t.Errorf("of %d sidecars the share is %d, want %d", test.sidecars, got, test.share)
		}
	}
}

// A change is measured from its commit, whether that is heard of before or after it is served, and by acknowledgements alone.
func TestServing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ack := func(r *status.Report) { r.Kind = status.KindAck }
	f.report("one", 1)
	f.report("two", 1)
	f.report("quick", 1)
	f.report("quick", 2, ack)
	f.pass(10 * time.Millisecond)
	f.Committed(fleet.Change{Position: at(2)}, f.now)
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now.Add(time.Second)) // the first time counts
	f.pass(20 * time.Millisecond)
	f.report("one", 2, ack)
	f.report("new", 2)
	f.pass(20 * time.Millisecond)
	if s, _ := f.Serving(at(2).Token()); s.Everywhere || s.Acks != 1 || s.Median != 20*time.Millisecond {
		t.Errorf("before all serve it: %+v", s)
	}
	f.report("two", 2, ack)
	s, known := f.Serving(at(2).Token())
	if !known || !s.Everywhere || s.Sidecars != 4 || s.After != 40*time.Millisecond || s.Acks != 2 || s.P99 != 40*time.Millisecond {
		t.Errorf("%+v", s)
	}
	f.pass(time.Hour)
	f.report("two", 2)
	again, _ := f.Serving(at(2).Token())
	if again.Served, again.Of = s.Served, s.Of; again != s {
		t.Errorf("afterwards it was served so: %+v", again)
	}
	for revision := uint64(3); revision < 200; revision++ {
		f.Committed(fleet.Change{Position: at(revision), State: digest(revision)}, f.now)
	}
	if _, known := f.Serving(at(2).Token()); known {
		t.Error("it is remembered for ever")
	}
}

// After a connection was lost nothing converges until reports were gathered again, and another epoch is another history.
func TestReportsThatWereMissed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.report("one", 1)
	f.Rebuild(f.now)
	if told := f.Convergence(at(1), f.now); told.Converged(100) || told.CompleteIn != fleet.Rebuilding {
		t.Errorf("%+v", told)
	}
	f.pass(fleet.Rebuilding)
	if !f.Convergence(at(1), f.now).Converged(100) {
		t.Error("it does not converge afterwards")
	}
	later := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), at(1).Epoch), Revision: 1, Digest: digest(1)}
	f.Committed(fleet.Change{Position: later, State: digest(1)}, f.now)
	f.expect("one", fleet.Behind)
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now) // of the history that was left
	if head := f.Fleet(f.now).Head; head != later {
		t.Errorf("the head is %+v", head)
	}
}

func TestWrong(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now)
	keep := func(seconds int) fleet.Wrong {
		for range seconds {
			f.report("a\x1b", 2)
			f.report("b", 1, func(r *status.Report) { r.Identity.Program = "v2" })
			f.report("c", 2, func(r *status.Report) { r.State = digest(7) })
			f.pass(time.Second)
			f.Look(f.now)
		}
		return f.Wrong()
	}
	if w := keep(1); w.Behind != "" || !strings.Contains(w.Diverged, `"c"`) || w.Skew != "" {
		t.Errorf("at first %+v", w)
	}
	if w := keep(32); !strings.Contains(w.Behind, `"b" at 00112233-1`) || strings.Contains(w.Behind, `"c"`) || w.Skew != "" {
		t.Errorf("after half a minute %+v", w)
	}
	if w := keep(3600); w.Skew != `2 of version "v1", 1 of version "v2"` {
		t.Errorf("after an hour %+v", w)
	}
	f.report("b", 2)
	f.pass(time.Second)
	f.Look(f.now)
	if w := f.Wrong(); w.Behind != "" || w.Skew != "" {
		t.Errorf("afterwards %+v", w)
	}
}

// Those who wait are woken by what changes.
func TestChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	changed := f.Changed()
	select {
	case <-changed:
		t.Fatal("woken by nothing")
	default:
	}
	f.report("one", 1)
	<-changed
}

// A sidecar that is gone without a good-bye may be cut off and still answer: for an hour it is told of where a revision is served that it does not
// have by its last report, until it is heard of again.
func TestThoseThatSaidNoGoodByeAreToldOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	lost := func() string {
		t.Helper()
		var texts []string
		for _, g := range f.Convergence(at(2), f.now).Lost {
			texts = append(texts, fmt.Sprintf("%s %s %s", g.Identity.Pod, g.Why, f.now.Sub(g.Heard)))
		}
		return strings.Join(texts, ", ")
	}
	clients := func(r *status.Report) { r.Clients = map[string]int{status.FaceSync: 3, "ofrep": 9} }
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now)
	f.report("stopped", 1)
	f.report("stopped", 1, func(r *status.Report) { r.Kind = status.KindBye })
	f.report("cut", 1)
	f.report("refusing", 2, refuses("k"))
	f.report("late", 2)
	f.report("one", 1)
	f.pass(time.Second)
	f.report("one-again", 2, clients, func(r *status.Report) { r.Identity.Pod = "one" })
	f.pass(fleet.Rebuilding + time.Second)
	f.report("one-again", 2, clients, func(r *status.Report) { r.Identity.Pod = "one" })
	if got, want := lost(), "one replaced 17s"; got != want {
		t.Errorf("lost are %q, want %q", got, want)
	}
	f.pass(fleet.GoneAfter)
	f.report("one-again", 2, clients, func(r *status.Report) { r.Identity.Pod = "one" })
	told := f.Convergence(at(2), f.now)
	for _, want := range []string{"one replaced 5m17s", "cut unheard 5m17s", "refusing unheard 5m17s"} {
		if got := lost(); !strings.Contains(got, want) || strings.Contains(got, "late") || len(told.Lost) != 3 {
			t.Errorf("lost are %q, want %q", got, want)
		}
	}
	if told.Evaluating != 3 || !told.Converged(100) || told.Of != 1 {
		t.Errorf("%d of %d serve it, %d clients evaluate by themselves", told.Served, told.Of, told.Evaluating)
	}
	f.report("cut", 2)
	f.report("refusing", 2, func(r *status.Report) { r.Kind = status.KindBye })
	if got, want := lost(), "one replaced 5m17s"; got != want {
		t.Errorf("once they are heard of again, lost are %q, want %q", got, want)
	}
	f.pass(fleet.LostFor + time.Second)
	if got := lost(); got != "" {
		t.Errorf("after an hour lost are %q", got)
	}
}

// However many processes go without a good-bye, a hundred are remembered. Those whose pod has another process make room for the others.
func TestThoseThatAreToldOfAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Committed(fleet.Change{Position: at(2), State: digest(2)}, f.now)
	f.report("cut", 1)
	f.pass(fleet.GoneAfter + time.Second)
	for i := range 151 {
		f.report(fmt.Sprintf("P%d-", i), 1, func(r *status.Report) { r.Identity.Pod = "crashes" })
		f.pass(fleet.Rebuilding + 2*time.Second)
		f.report(fmt.Sprintf("P%d-", i), 1, func(r *status.Report) { r.Identity.Pod, r.UpMs = "crashes", 1 })
	}
	if all := f.Convergence(at(2), f.now).Lost; len(all) != 100 || all[0].Identity.Pod != "cut" {
		t.Errorf("%d are told of: %+v", len(all), all)
	}
}
