package flagsync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// beats subscribes to what publishers announce.
func beats(tb testing.TB, l *log) chan map[string]any {
	tb.Helper()
	heard := make(chan map[string]any, 1000)
	c := natstest.ConnectPublishers(tb, l.server.URL())
	if _, err := c.Subscribe("heartbeat.prod", func(msg *nats.Msg) {
		var b map[string]any
		if err := json.Unmarshal(msg.Data, &b); err == nil {
			heard <- b
		}
	}); err != nil {
		tb.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		tb.Fatal(err)
	}
	return heard
}

func next(tb testing.TB, heard chan map[string]any) map[string]any {
	tb.Helper()
	select {
	case b := <-heard:
		return b
	case <-time.After(patience):
		tb.Fatal("no beat came")
		return nil
	}
}

func TestBeatNamesTheHead(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.write(t, put("a", "{}"))
	view := changelog.Sum([]byte("view"))
	heard := beats(t, l)
	run(t, flagsync.NewBeater(l.Log, func() (changelog.Position, changelog.Digest) { return head, view }, testLogger).Run)
	b := next(t, heard)
	by, _ := b["by"].(string)
	want := map[string]any{
		"v": 1.0, "epoch": string(head.Epoch), "head": float64(head.Revision), "digest": head.Digest.String(),
		"state": view.String(), "by": by,
	}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("first beat (-want +got):\n%s", diff)
	}
	// The view stays behind now: the next beats name the new head and no state.
	head2 := freshWrite(t, l)
	for b["head"] != float64(head2.Revision) {
		b = next(t, heard)
	}
	if b["digest"] != head2.Digest.String() || b["state"] != nil {
		t.Errorf("beat %v, want that of %+v without a state", b, head2)
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
	own, err := flagsync.OpenLog(t.Context(), publisher, environment, 1)
	if err != nil {
		t.Fatal(err)
	}
	heard := beats(t, l)
	run(t, flagsync.NewBeater(own, nil, testLogger).Run)
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
	announce := func(revision uint64) {
		data := `{"v":1,"epoch":"` + string(head.Epoch) + `","head":` + string(rune('0'+revision)) +
			`,"digest":"` + strings.Repeat("a", 64) + `","by":"other"}`
		if err := c.Publish("heartbeat.prod", []byte(data)); err != nil {
			t.Error(err)
		}
	}
	heard := beats(t, l)
	stopped := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			announce(1)
			select {
			case <-stopped:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	next(t, heard)
	run(t, flagsync.NewBeater(l.Log, nil, testLogger).Run)
	own := 0
	for deadline := time.After(3 * time.Second); ; {
		select {
		case b := <-heard:
			if b["by"] != "other" {
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
	for next(t, heard)["by"] == "other" {
		continue // its last ones; then it is our turn
	}
}

// TestBeatConfirms makes knowledge younger once a second.
func TestBeatConfirms(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := follow(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	run(t, flagsync.NewBeater(l.Log, nil, testLogger).Run)
	for range 2 {
		before := r.Status().LastConfirmed
		s := r.until(t, "a younger state", func(s flagsync.Status) bool { return s.LastConfirmed.After(before) })
		if s.LastBeat.IsZero() {
			t.Error("there was no beat")
		}
	}
}

// TestABeatShowsAnotherState announces a state digest that is not the
// follower's, and then the right one.
func TestABeatShowsAnotherState(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.write(t, put("a", "{}"))
	r := follow(t, l.conn)
	r.until(t, "synced", isSynced)
	announce := func(state changelog.Digest) func() {
		return run(t, flagsync.NewBeater(l.Log, func() (changelog.Position, changelog.Digest) { return head, state }, testLogger).Run)
	}
	stop := announce(changelog.Sum([]byte("another state")))
	r.until(t, "another state", func(s flagsync.Status) bool { return s.DifferentState != nil })
	stop()
	announce(r.target.StateDigest())
	r.until(t, "the same state", func(s flagsync.Status) bool { return s.DifferentState == nil })
}

// TestABeatIsNotBelievedAgainstTheLog announces a digest that is not that of the entry: the
// follower asks the leader, who is right.
func TestABeatIsNotBelievedAgainstTheLog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := follow(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	head := l.head(t)
	c := natstest.ConnectPublishers(t, l.server.URL())
	for _, data := range []string{
		`{"v":1,"epoch":"` + string(head.Epoch) + `","head":1,"digest":"` + strings.Repeat("a", 64) + `","by":"liar"}`,
		`{"v":1,"epoch":"` + string(head.Epoch) + `","head":99,"digest":"` + strings.Repeat("a", 64) + `","by":"liar"}`,
		`{"v":1,"epoch":"` + strings.Repeat("0", 32) + `","head":1,"digest":"` + strings.Repeat("a", 64) + `","by":"liar"}`,
		`no beat at all`,
	} {
		before := r.Status().LastConfirmed
		if err := c.Publish("heartbeat.prod", []byte(data)); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := r.Status().LastConfirmed; !got.Equal(before) {
			t.Errorf("%s made knowledge younger", data)
		}
	}
	after := l.write(t, put("a", "{}"))
	r.reach(t, after.Revision)
	s := r.until(t, "the head of the leader", func(s flagsync.Status) bool { return s.Head == after.Revision })
	if s.DifferentHistory != nil || s.Hole != nil {
		t.Errorf("a beat that lies was believed: %+v", s)
	}
}
