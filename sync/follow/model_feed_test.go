package follow_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// TestABeatDoesNotOutrunTheFeed lets every beat arrive before the entry that it
// names: no follower reads what is on its way. What the feed loses is read soon after.
func TestABeatDoesNotOutrunTheFeed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t, rand.New(rand.NewPCG(1, 1)))
		var reads atomic.Int64
		answer := w.wire.answer
		w.wire.answer = func(r request) {
			if strings.HasPrefix(r.subject, "$JS.API.DIRECT.GET.FLAGS_") {
				reads.Add(1)
			}
			answer(r)
		}
		c, err := flagsync.Connect(t.Context(), w.connecting())
		if err != nil {
			t.Fatal(err)
		}
		m := &model{t: t, world: w, conn: c, target: &modelTarget{t: t, world: w}}
		m.start()
		w.beat()
		time.Sleep(time.Second)
		before := reads.Load()
		w.setFaults(worldFaults{lateFeed: 100, latency: 100 * time.Millisecond})
		for i := range 20 {
			w.mu.Lock()
			w.append([]changelog.Entry{{Kind: document.KindFlag, Key: "late", Put: fmt.Append(nil, i)}})
			w.mu.Unlock()
			w.beat()
			time.Sleep(time.Second)
		}
		if got := reads.Load(); got != before {
			t.Errorf("%d reads although the feed has brought everything", got-before)
		}
		w.setFaults(worldFaults{loseFeed: 100})
		w.write()
		w.beat()
		time.Sleep(300 * time.Millisecond)
		if s := m.follower.Status(); s.Applied != w.head() || reads.Load() == before {
			t.Errorf("what the feed lost is not read: %+v", s)
		}
		m.stop()
		c.Close()
	})
}

// TestBeatsThatWaitedProveNothing keeps beats back for ten seconds, as a socket
// that stalls does, while the log goes on: when they come all at once, what is
// known is as old as it was. A barrier makes it young again.
func TestBeatsThatWaitedProveNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		waited := w.nextBeats(10)
		w.setFaults(worldFaults{silence: 100, loseFeed: 100})
		w.write()
		time.Sleep(10 * time.Second)
		for _, m := range waited {
			w.tell(m)
		}
		time.Sleep(time.Millisecond)
		if s := m.follower.Status(); s.Age < 10*time.Second {
			t.Errorf("what is known is said to be %s old, an entry of 10 s ago is missing: %+v", s.Age, s)
		}
		w.setFaults(worldFaults{})
		time.Sleep(8 * time.Second)
		if s := m.follower.Status(); s.Applied != w.head() || s.Age > 8*time.Second {
			t.Errorf("not current although everything is as it should be: %+v", s)
		}
		m.stop()
	})
}

// nextBeats returns so many heartbeats of a publisher, without sending them.
func (w *world) nextBeats(n int) (beats []message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		w.beats++
		beats = append(beats, w.heartbeat())
	}
	return beats
}

// TestABeatIsAsOldAsItsArrival keeps the target busy while the last beats for
// long come: what is known is as old as they are, and not as young as the moment
// at which they were looked at.
func TestABeatIsAsOldAsItsArrival(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.setFaults(worldFaults{silence: 100})
		m.target.setSlow(2 * time.Second)
		w.write()
		w.beat()
		time.Sleep(2500 * time.Millisecond)
		s := m.follower.Status()
		if s.Applied != w.head() || s.Age < 2400*time.Millisecond || s.Age > 2600*time.Millisecond {
			t.Errorf("2.5 s after the last beat, which names what is applied: %+v", s)
		}
		m.target.setSlow(0)
		m.stop()
	})
}
