package follow_test

import (
	"context"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// flood makes noise all the time, until the function that it returns is called.
func flood(every time.Duration, noise func()) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(every) {
			noise()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// suffering is what a follower made of changes and heartbeats meanwhile.
type suffering struct {
	atOnce         int           // changes that were applied within a tenth of a second
	slowest        time.Duration // of them all
	oldest         time.Duration // that what is known became
	writes, missed int
}

// endure writes changes at different moments, each with a heartbeat half a second
// later.
func endure(w *world, m *model, changes int) (s suffering) {
	for i := range changes {
		time.Sleep(time.Duration(i%7) * 150 * time.Millisecond) // at whichever moment of a second
		w.write()
		written := time.Now()
		s.writes++
		time.Sleep(100 * time.Millisecond)
		if m.follower.Status().Applied == w.head() {
			s.atOnce++
		}
		time.Sleep(400 * time.Millisecond)
		w.beat()
		for m.follower.Status().Applied != w.head() && time.Since(written) < 1500*time.Millisecond {
			time.Sleep(10 * time.Millisecond)
		}
		if m.follower.Status().Applied != w.head() {
			s.missed++
		}
		s.slowest = max(s.slowest, time.Since(written))
		s.oldest = max(s.oldest, m.follower.Status().Age)
	}
	return s
}

// TestAFloodInTheFeedStopsNoReads sends thousands of forged entries a second to
// all that listen to the feed. Each looks as if it came next, so that only a
// signature tells it apart. Only some are looked at, which also keeps true entries
// from being taken from the feed; heartbeats count as ever, and reads repair it.
// As each heartbeat names what is still to be read, barriers tell the age.
func TestAFloodInTheFeedStopsNoReads(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		end := flood(10*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for range 20 {
				w.feed(w.forgedNext())
			}
		})
		s := endure(w, m, 20)
		end()
		if s.missed > 0 || s.oldest > 8*time.Second {
			t.Errorf("under a flood in the feed: %+v, want every change soon, and own barriers where heartbeats come too early", s)
		}
		if s.atOnce > s.writes/2 {
			t.Errorf("%d of %d changes were taken from the feed at once: every forged entry was looked at", s.atOnce, s.writes)
		}
		verifyCalm(t, w, m)
	})
}

// forgedNext returns a forged entry that claims to come next, another one each
// time.
func (w *world) forgedNext() stored {
	m := w.guessedSignature()
	m.sequence = uint64(len(w.messages) + 1)
	return m
}

// TestAFloodOfHeartbeatsStopsNoReads does the same with forged heartbeats: true
// ones are lost among them, changes come by the feed, and what is known is no older
// than without heartbeats.
func TestAFloodOfHeartbeatsStopsNoReads(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		end := flood(10*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for range 20 {
				h := w.heartbeat()
				h.header = proofHeader(string(w.guess(changelog.Head{}).Signature))
				w.tell(h)
			}
		})
		s := endure(w, m, 40)
		end()
		if s.missed > 0 || s.atOnce < s.writes || s.oldest > 13*time.Second {
			t.Errorf("under a flood of heartbeats: %+v, want every change at once, and own barriers", s)
		}
		if refused := m.follower.Status().Refused; refused < 1000 {
			t.Errorf("%d heartbeats were refused, want all forged ones", refused)
		}
		verifyCalm(t, w, m)
	})
}

// TestAFloodInTheStreamStopsNoReads stores hundreds of forged entries a second,
// loses the feed, and lets followers begin in the middle of it.
func TestAFloodInTheStreamStopsNoReads(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.setFaults(worldFaults{loseFeed: 50})
		end := flood(10*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for range 3 {
				_, noise := w.someNoise()
				if noise.data != nil {
					w.store(noise)
				}
			}
		})
		if s := endure(w, m, 10); s.missed > 0 {
			t.Errorf("under a flood in the stream: %+v", s)
		}
		cold := &model{t: t, world: w, conn: m.conn, target: &modelTarget{t: t, world: w}}
		cold.start()
		if s := endure(w, cold, 10); s.missed > 0 {
			t.Errorf("a follower that began under a flood in the stream: %+v", s)
		}
		cold.stop()
		end()
		w.setFaults(worldFaults{})
		w.mu.Lock()
		noise := uint64(len(w.messages)) - w.entries()
		w.mu.Unlock()
		verifyCalm(t, w, m)
		if got := m.follower.Status().Foreign.Messages; got != noise {
			t.Errorf("%d foreign messages were counted, there are %d", got, noise)
		}
	})
}

// entries returns how many messages of the stream are entries.
func (w *world) entries() (n uint64) {
	for _, m := range w.messages {
		if m.record != nil {
			n++
		}
	}
	return n
}

// verifyCalm expects that a follower is current soon after a flood, and stops it.
func verifyCalm(t *testing.T, w *world, m *model) {
	t.Helper()
	for range 15 {
		w.beat()
		time.Sleep(time.Second)
	}
	if !m.says(current, m.follower.Status()) {
		t.Errorf("15 seconds after the flood it is not current: %+v", m.follower.Status())
	}
	m.stop()
}
