package flagsync_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// heartbeatSubject is where publishers announce the head of the log.
const heartbeatSubject = "heartbeat." + environment

// beats subscribes to what publishers announce.
func beats(tb testing.TB, l *log) chan changelog.Heartbeat {
	tb.Helper()
	heard := make(chan changelog.Heartbeat, 1000)
	c, keys := natstest.ConnectPublishers(tb, l.server.URL()), trusttest.Default().PublisherKeyring()
	if _, err := c.Subscribe(heartbeatSubject, func(msg *nats.Msg) {
		h, err := changelog.DecodeHeartbeat(keys, environment, msg.Data, changelog.Signature(msg.Header.Get(changelog.ProofHeader)))
		if err != nil {
			tb.Error(err)
			return
		}
		heard <- h
	}); err != nil {
		tb.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		tb.Fatal(err)
	}
	return heard
}

// heartbeat returns one that says what is true, number n of a publisher.
func heartbeat(head changelog.Position, by string, n uint64) changelog.Heartbeat {
	return changelog.Heartbeat{Position: head, Begin: 1, First: 1, End: head.Revision, By: by, N: n, Time: time.Now()}
}

// signedHeartbeat returns a message with a heartbeat that a publisher of the tests
// signed.
func signedHeartbeat(tb testing.TB, h changelog.Heartbeat) *nats.Msg {
	tb.Helper()
	data, signature, err := changelog.EncodeHeartbeat(trusttest.Default().Signer(), environment, h)
	if err != nil {
		tb.Fatal(err)
	}
	msg := nats.NewMsg(heartbeatSubject)
	msg.Data = data
	msg.Header.Set(changelog.ProofHeader, string(signature))
	return msg
}

func announce(tb testing.TB, c *nats.Conn, messages ...*nats.Msg) {
	tb.Helper()
	for _, msg := range messages {
		if err := c.PublishMsg(msg); err != nil {
			tb.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		tb.Fatal(err)
	}
}

func next(tb testing.TB, heard chan changelog.Heartbeat) changelog.Heartbeat {
	tb.Helper()
	select {
	case b := <-heard:
		return b
	case <-time.After(patience):
		tb.Fatal("no beat came")
		return changelog.Heartbeat{}
	}
}

func TestBeatNamesTheHead(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.write(t, put("a", "{}"))
	heard := beats(t, l)
	anchors := func() (ledger, control changelog.Anchor) {
		return changelog.Anchor{Sequence: 7, Digest: head.Digest}, changelog.Anchor{Sequence: 8, Digest: head.Digest}
	}
	own, err := writer.OpenLog(t.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 1, Anchors: anchors})
	if err != nil {
		t.Fatal(err)
	}
	run(t, writer.NewHeartbeater(own, testLogger).Run)
	b := next(t, heard)
	want := heartbeat(head, b.By, 1)
	want.Version, want.Time = changelog.Version, b.Time
	want.Ledger, want.Control = anchors()
	if diff := cmp.Diff(want, b); diff != "" || time.Since(b.Time).Abs() > patience {
		t.Errorf("first heartbeat, sent %s ago (-want +got):\n%s", time.Since(b.Time), diff)
	}
	// The log goes on without the publisher, and noise stands behind it.
	head = freshWrite(t, l)
	noise := nats.NewMsg("flags.prod.noise")
	end := store(t, l.server.Client(t), noise)
	for b.End != end {
		before := b
		if b = next(t, heard); b.N != before.N+1 || b.By != before.By {
			t.Errorf("heartbeat %d of %s after %d of %s", b.N, b.By, before.N, before.By)
		}
	}
	if b.Position != head {
		t.Errorf("heartbeat %+v, want the position %+v", b, head)
	}
}

// freshWrite appends as another publisher would.
func freshWrite(tb testing.TB, l *log) changelog.Position {
	tb.Helper()
	other := &log{server: l.server, conn: l.conn, Log: freshLog(tb, l)}
	return other.write(tb, put("b", "{}"))
}

// TestNoBeatWithoutTheLeader takes the server away: what comes after the
// restart was not sent before.
func TestNoBeatWithoutTheLeader(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	publisher := connect(t, p.url())
	own, err := writer.OpenLog(t.Context(), publisher, writer.LogOptions{Environment: environment, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	heard := beats(t, l)
	run(t, writer.NewHeartbeater(own, testLogger).Run)
	next(t, heard)
	p.Refuse(true)
	p.Cut()
	eventually(t, func() (bool, string) { return !publisher.Connected(), "the publisher to be cut off" })
	for len(heard) > 0 {
		<-heard
	}
	select {
	case b := <-heard:
		t.Errorf("a publisher that is cut off beats: %v", b)
	case <-time.After(2500 * time.Millisecond):
	}
}

// TestOneOfTwoBeats lets a publisher hear another's beats.
func TestOneOfTwoBeats(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.head(t)
	c := natstest.ConnectPublishers(t, l.server.URL())
	heard := beats(t, l)
	stopped := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(1); ; n++ {
			if err := c.PublishMsg(signedHeartbeat(t, heartbeat(head, "other", n))); err != nil {
				t.Error(err)
			}
			select {
			case <-stopped:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	next(t, heard)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	own := 0
	for deadline := time.After(3 * time.Second); ; {
		select {
		case b := <-heard:
			if b.By != "other" {
				own++
			}
			continue
		case <-deadline:
		}
		break
	}
	close(stopped)
	<-done
	// The first tick may come before the other was heard.
	if own > 1 {
		t.Errorf("%d beats while another publisher beats", own)
	}
	for next(t, heard).By == "other" {
		continue // its last ones; then it is our turn
	}
}

// TestBeatConfirms makes knowledge younger once a second.
func TestBeatConfirms(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	for range 2 {
		before := r.Status().LastConfirmed
		s := r.until(t, "a younger state", func(s follow.Status) bool { return s.LastConfirmed.After(before) })
		if s.LastHeartbeat.IsZero() {
			t.Error("there was no beat")
		}
	}
}

// TestAnotherState makes a follower hold other documents than those that were
// signed: it reads the log once, and takes over what that gives.
func TestAnotherState(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, func(t *tuning.Follower) { t.StateCheck = 10 * time.Millisecond })
	r.until(t, "synced", isSynced)
	for rebuilds := range uint64(2) {
		compared := r.target.comparisons()
		l.write(t, put(fmt.Sprint("b-", rebuilds), "{}"))
		eventually(t, func() (bool, string) { return r.target.comparisons() > compared, "states that agree" })
		r.target.setWrong()
		head := l.write(t, put(fmt.Sprint("c-", rebuilds), "{}"))
		r.until(t, "a state that is read again", func(s follow.Status) bool {
			return s.Rebuilds == rebuilds+1 && s.DifferentState == nil && s.Applied == head
		})
	}
	if r.target.loaded() != 2 || r.target.count() != 5 {
		t.Errorf("%d states loaded, %d documents, want 2 and 5", r.target.loaded(), r.target.count())
	}
	r.sees(t, l)
}

// TestAStateThatWasSignedWrong is what a publisher signs that holds other
// documents than the log: followers say so, serve on, and read the log once.
func TestAStateThatWasSignedWrong(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, func(t *tuning.Follower) { t.StateCheck = 10 * time.Millisecond })
	r.until(t, "synced", isSynced)
	reads := new(atomic.Int64)
	c := l.server.Client(t)
	if _, err := c.Subscribe("$JS.API.DIRECT.GET.FLAGS_prod", func(*nats.Msg) { reads.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	wrong := l.publishRaw(t, c, entry(head, "wrong", "b", 1, 1))
	r.until(t, "the publisher to be called wrong", func(s follow.Status) bool {
		return s.DifferentState != nil && strings.Contains(s.DifferentState.Error(), "publisher")
	})
	if s := r.Status(); s.Applied != wrong || r.target.count() != 2 || s.Rebuilds != 0 {
		t.Errorf("it serves %d documents of %+v after %d rebuilds, want 2 of %+v and none", r.target.count(), s.Applied, s.Rebuilds, wrong)
	}
	waiting.Until(t, "a reading of the log", func() bool { return reads.Load() > 0 })
	if _, err := l.append(t, t.Context(), wrong, change("next", put("c", "{}"))); !errors.Is(err, writer.ErrDifferentState) {
		t.Errorf("append on a state that was signed wrong: %v, want ErrDifferentState", err)
	}
	before := reads.Load()
	next := entry(wrong, "wrong again", "b", 1, 1)
	l.publishRaw(t, c, next)
	time.Sleep(100 * time.Millisecond) // several comparisons
	if again := reads.Load() - before; again > 0 {
		t.Errorf("the log was read %d times again", again)
	}
}

// TestABeatIsNotBelievedAgainstTheLog announces what a publisher signed and is not so: the
// follower asks the leader, who is right. What no publisher signed is not even looked at.
func TestABeatIsNotBelievedAgainstTheLog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	head := l.head(t)
	c := natstest.ConnectPublishers(t, l.server.URL())
	other := head
	other.Digest[0]++
	ahead := head
	ahead.Revision = 99
	lateEpoch := head
	lateEpoch.Epoch = changelog.NewEpoch(time.Now(), head.Epoch)
	for name, position := range map[string]changelog.Position{"another entry": other, "more than there is": ahead, "another epoch": lateEpoch} {
		before := r.Status().LastConfirmed
		announce(t, c, signedHeartbeat(t, heartbeat(position, name, 1)))
		r.until(t, name, func(s follow.Status) bool { return !s.LastHeartbeat.IsZero() })
		if got := r.Status().LastConfirmed; !got.Equal(before) {
			t.Errorf("%s made knowledge younger", name)
		}
	}
	after := l.write(t, put("a", "{}"))
	r.reach(t, after.Revision)
	s := r.until(t, "the head of the leader", func(s follow.Status) bool { return s.Head == after.Revision })
	if s.DifferentHistory != nil || s.Hole != nil {
		t.Errorf("a beat that lies was believed: %+v", s)
	}
}
