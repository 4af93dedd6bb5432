package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

func isSynced(s follow.Status) bool { return s.Synced }

func TestFollowerTakesTheLogAndThenTheFeed(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, put("a", `{"n":1}`), put("b", `{"n":1}`))
	r := startFollowing(t, l.conn)
	r.until(t, "synced", isSynced)
	for i := range 20 {
		head := l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, i)), remove("b"))
		r.reach(t, head.Revision)
	}
	s := r.Status()
	if diff := cmp.Diff(l.head(t), s.Applied); diff != "" {
		t.Errorf("position applied (-want +got):\n%s", diff)
	}
	if got := r.target.body("a"); got != `{"n":19}` || r.target.count() != 1 {
		t.Errorf("flag a is %s of %d, want the last of one", got, r.target.count())
	}
	if r.target.syncedTimes() != 1 {
		t.Errorf("Synced was called %d times, want once", r.target.syncedTimes())
	}
	if s.Fragments != 0 || s.DifferentHistory != nil || s.Hole != nil || s.LastError != nil {
		t.Errorf("something is wrong: %+v", s)
	}
}

// TestFollowerOfAnEmptyEnvironment is complete without any document.
func TestFollowerOfAnEmptyEnvironment(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn)
	s := r.until(t, "synced", isSynced)
	if s.Applied != l.head(t) || s.Applied.Revision != 2 || r.target.count() != 0 {
		t.Errorf("applied %+v with %d documents, want revision 2 without any", s.Applied, r.target.count())
	}
}

// TestFollowerTakesALongLog reads 10,000 entries in few steps.
func TestFollowerTakesALongLog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.head(t)
	for i := range 10 {
		documents := make([]document.Document, changelog.MaxEntries)
		for j := range documents {
			documents[j] = put(fmt.Sprintf("flag-%d-%d", i, j), fmt.Sprintf(`{"n":%d}`, j))
		}
		outcome, err := l.append(t, t.Context(), head, change(fmt.Sprint("op-", i), documents...))
		if err != nil || outcome.State != writer.Committed {
			t.Fatal(outcome.State, err)
		}
		head = outcome.Position
	}
	const small = 300
	for i := range small {
		outcome, err := l.append(t, t.Context(), head, change(fmt.Sprint("small-", i), put("small", fmt.Sprintf(`{"n":%d}`, i))))
		if err != nil || outcome.State != writer.Committed {
			t.Fatal(outcome.State, err)
		}
		head = outcome.Position
	}
	r := startFollowing(t, l.conn)
	s := r.until(t, "synced", isSynced)
	if s.Applied != head || r.target.count() != 10*changelog.MaxEntries+1 {
		t.Errorf("applied %+v with %d documents, want %+v with 10001", s.Applied, r.target.count(), head)
	}
	t.Logf("%d steps", r.target.steps)
	if steps := r.target.steps; steps > small/2 { // how many come together depends on how busy the machine is
		t.Errorf("it took %d steps, want many transactions in each", steps)
	}
}

// TestFollowerGoesOnWhereItsTargetStands begins with what a target has, as
// after a restart from disk.
func TestFollowerGoesOnWhereItsTargetStands(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	target := newMapTarget(t)
	for range 3 {
		head := l.write(t, put("a", `{"n":1}`), put("b", `{"n":2}`))
		f, err := follow.New(l.conn, target, follow.Options{Environment: environment, Logger: testLogger})
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, f.Run)
		(&running{Follower: f, target: target}).reach(t, head.Revision)
		(&running{Follower: f, target: target}).until(t, "synced", isSynced)
		stop()
		if err := f.Barrier(t.Context()); err == nil {
			t.Error("a barrier of a follower that has stopped succeeds")
		}
	}
	if target.StateDigest() != l.replay(t).StateDigest() {
		t.Error("the state differs from that of a fresh replay")
	}
}

// TestStreamThatComesLater follows an environment before it is created.
func TestStreamThatComesLater(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := startFollowing(t, connectSidecar(t, server.URL()))
	s := r.until(t, "stream missing", func(s follow.Status) bool { return s.StreamMissing })
	if s.Synced || s.AgeKnown {
		t.Errorf("without a stream: %+v", s)
	}
	if err := r.Barrier(t.Context()); err == nil {
		t.Error("a barrier succeeds without a stream")
	}
	if _, err := openEnvironments(t, server).Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	r.until(t, "synced", func(s follow.Status) bool { return s.Synced && !s.StreamMissing && s.Applied.Revision == 2 })
}

// TestServerThatComesLater follows before there is a server, and through a
// restart.
func TestServerThatComesLater(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.write(t, put("a", "{}"))
	l.server.Stop(t)
	r := startFollowing(t, connectSidecar(t, l.server.URL()))
	r.until(t, "an error", func(s follow.Status) bool { return !s.Connected && s.LastError != nil })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Barrier(ctx); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("barrier without a server: %v, want ErrUnreachable", err)
	}
	l.server.Restart(t)
	r.reach(t, head.Revision)
	r.until(t, "synced", isSynced)

	l.server.Stop(t)
	r.until(t, "disconnected", func(s follow.Status) bool { return !s.Connected })
	if r.target.count() != 1 {
		t.Error("the target lost its document with the server")
	}
	l.server.Restart(t)
	eventually(t, func() (bool, string) { return l.conn.Connected(), "the publisher to be connected" })
	head = l.write(t, put("b", "{}"))
	r.reach(t, head.Revision)
	r.barrier(t)
}

// TestTargetThatRefuses keeps changes until they can be applied, all of them
// and in order.
func TestTargetThatRefuses(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, func(t *tuning.Follower) { t.ApplyRetry = 20 * time.Millisecond })
	r.until(t, "synced", isSynced)
	refusal := errors.New("the target refuses")
	r.target.setRefuse(refusal)
	for i := range 5 {
		l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, i)))
	}
	s := r.until(t, "the refusal", func(s follow.Status) bool { return errors.Is(s.LastError, refusal) })
	if s.Applied.Revision != 2 {
		t.Errorf("applied %d while the target refuses, want 2", s.Applied.Revision)
	}
	r.target.setRefuse(nil)
	r.reach(t, l.head(t).Revision)
	if got := r.target.body("a"); got != `{"n":4}` {
		t.Errorf("flag a is %s, want the last", got)
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	before := time.Now()
	r := startFollowing(t, l.conn)
	s := r.until(t, "synced", isSynced)
	if !s.AgeKnown || s.Age < 0 || s.LastConfirmed.Before(before) {
		t.Errorf("after a barrier: age %s (known %t), confirmed %s after the begin", s.Age, s.AgeKnown, s.LastConfirmed.Sub(before))
	}
	asked := time.Now()
	r.barrier(t)
	if s := r.Status(); s.LastConfirmed.Before(asked) {
		t.Errorf("a barrier sent after %s confirmed only %s", asked, s.LastConfirmed)
	}
	l.server.Stop(t)
	confirmed := r.Status().LastConfirmed
	r.until(t, "age to grow", func(s follow.Status) bool { return s.Age > 500*time.Millisecond })
	if got := r.Status().LastConfirmed; !got.Equal(confirmed) {
		t.Errorf("confirmed again at %s without a server", got)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Wait(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait for what does not come: %v, want the end of the context", err)
	}
	if err := r.Wait(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

func TestNewFollowerRefusesAName(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	_, err := follow.New(l.conn, newMapTarget(t), follow.Options{Environment: "Prod", Logger: testLogger})
	if !errors.Is(err, flagsync.ErrEnvironmentName) {
		t.Errorf("error %v, want ErrEnvironmentName", err)
	}
}
