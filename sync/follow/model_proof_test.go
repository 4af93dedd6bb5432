package follow_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// runFor lets a publisher send heartbeats for some seconds.
func (w *world) runFor(seconds int) {
	for range seconds {
		w.beat()
		time.Sleep(time.Second)
	}
}

// another follows the world from the beginning, as a sidecar that has nothing.
func another(t *testing.T, w *world) *model {
	t.Helper()
	m := &model{t: t, world: w, target: &modelTarget{t: t, world: w}}
	m.connect()
	m.start()
	stop := m.stop
	m.stop = func() {
		stop()
		m.conn.Close()
	}
	return m
}

// expectCurrent fails the test unless the follower is current.
func (m *model) expectCurrent(when string) {
	m.t.Helper()
	if s := m.follower.Status(); !m.says(current, s) {
		m.t.Errorf("%s: not current with %+v: %+v", when, m.world.head(), s)
	}
}

// TestALogOfOthersIsNone follows a log of which no message was signed by the
// installation that is trusted, as with a wrong trust file: nothing of it is served,
// and that there is nothing is not called complete.
func TestALogOfOthersIsNone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t, rand.New(rand.NewPCG(1, 1)))
		w.write()
		w.keys.Keys = w.keys.strange // whom the sidecar trusts
		m := another(t, w)
		w.runFor(20)
		s := m.follower.Status()
		if s.Synced || s.AgeKnown || !s.Applied.IsZero() || m.target.count() != 0 {
			t.Errorf("a log of other installations: %+v", s)
		}
		if s.LastError == nil || !strings.Contains(s.LastError.Error(), "trust file") {
			t.Errorf("the last error is %v, want one that names the trust file", s.LastError)
		}
		if err := m.follower.Barrier(t.Context()); err == nil {
			t.Error("a barrier succeeded")
		}
		m.stop()
	})
}

// TestEntriesOfAnotherLogAreNoise restores a log, renews it, and stores entries that
// it lost again, each at its own revision: they are signed, and not in their place.
func TestEntriesOfAnotherLogAreNoise(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		for range 20 {
			w.one("lost")
		}
		w.runFor(2)
		w.mu.Lock()
		lost := w.messages[3:]
		w.truncate(3)
		w.mu.Unlock()
		w.wire.cut()
		w.renew(true)
		w.runFor(10)
		w.setFaults(worldFaults{loseFeed: 100})
		w.mu.Lock()
		for range 8 {
			stray := lost[len(w.messages)-3]
			stray.record = nil
			w.store(stray)
		}
		w.mu.Unlock()
		w.one("true")
		cold := another(t, w)
		w.runFor(5)
		m.expectCurrent("the follower that was there")
		cold.expectCurrent("a follower that begins")
		w.one("more")
		w.runFor(2)
		m.expectCurrent("the follower that was there, later")
		cold.expectCurrent("a follower that begins, later")
		cold.stop()
		m.stop()
	})
}

// TestARetiredKeyHidesNoEpoch lets a follower miss a new epoch and the end of the key
// that signed it, and hear the keys note from a manifest before it reads on: it does
// not call itself current before it has the epoch, and gets it without heartbeats.
func TestARetiredKeyHidesNoEpoch(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.wire.setRefuse(true)
		w.wire.cut()
		w.renew(true)
		w.one("of a retired key")
		w.rotate()
		w.rotate()
		for range 3 {
			w.one("of the new key")
		}
		w.publish()
		w.mu.Lock()
		w.snapshots[0].chunk, w.snapshots[0].sound = nil, false // only the manifest is left
		w.mu.Unlock()
		w.wire.setRefuse(false)
		reconnected := time.Now()
		for m.follower.Status().Applied != w.head() && time.Since(reconnected) < time.Minute {
			if s := m.follower.Status(); s.LastConfirmed.After(reconnected) {
				t.Fatalf("it is said to be current with %+v at %+v", w.head(), s)
			}
			time.Sleep(time.Millisecond)
		}
		cold := another(t, w)
		time.Sleep(30 * time.Second)
		w.runFor(2)
		m.expectCurrent("the follower that slept")
		cold.expectCurrent("a follower that begins")
		cold.stop()
		m.stop()
	})
}

// TestAnOldHeartbeatProvesNothing starts a follower where the log once was, and
// repeats the heartbeat of that time before anything can be asked.
func TestAnOldHeartbeatProvesNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.beat()
		time.Sleep(time.Second)
		m.stop()
		w.mu.Lock()
		old := w.sent[len(w.sent)-1].message
		w.mu.Unlock()
		w.write()
		w.setFaults(worldFaults{silence: 100})
		options := w.connecting()
		options.Keyring = w.keys.PublisherKeyring() // as a disk tells it
		c, err := flagsync.Connect(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		again := &model{t: t, world: w, conn: c, target: m.target}
		again.start()
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			w.tell(old)
		}
		if s := again.follower.Status(); s.AgeKnown {
			t.Errorf("an old heartbeat makes it current: %+v", s)
		}
		w.setFaults(worldFaults{})
		w.runFor(5)
		again.expectCurrent("after true ones")
		again.stop()
		c.Close()
	})
}

// readsFromTheBeginning counts the reads of a log from its first message.
func (w *world) readsFromTheBeginning() *atomic.Int64 {
	var reads atomic.Int64
	answer := w.wire.answer
	w.wire.answer = func(r request) {
		if strings.HasPrefix(r.subject, "$JS.API.DIRECT.GET.FLAGS_") && strings.Contains(string(r.data), `"seq":1,`) {
			reads.Add(1)
		}
		answer(r)
	}
	return &reads
}

// TestADifferentStateIsReadFromTheLog damages a document. The next change shows it,
// the log is read aside, again only while it cannot be read, and its state served.
func TestADifferentStateIsReadFromTheLog(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.one("held")
		w.runFor(1)
		reads := w.readsFromTheBeginning()
		m.target.damage()
		w.one("shows it")
		w.runFor(11)
		s := m.follower.Status()
		if s.DifferentState == nil && s.Rebuilds == 0 {
			t.Errorf("it was not noticed: %+v", s)
		}
		w.runFor(10)
		s = m.follower.Status()
		if s.DifferentState != nil || s.Rebuilds != 1 || reads.Load() != 1 {
			t.Errorf("it was read %d times: %+v", reads.Load(), s)
		}
		m.expectCurrent("after it was read")

		m.target.damage()
		w.one("shows it again")
		w.setFaults(worldFaults{silence: 100})
		w.runFor(30)
		w.setFaults(worldFaults{})
		w.runFor(30)
		if s := m.follower.Status(); s.DifferentState != nil || s.Rebuilds != 2 {
			t.Errorf("after an outage: %+v", s)
		}
		m.expectCurrent("after an outage")
		m.stop()
	})
}

// TestAWrongPublisherIsReadOnce lets a publisher sign a state that the log does not
// add up to: a follower that reads it aside finds the same, says so, serves on and does not
// read it a second time.
func TestAWrongPublisherIsReadOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		m.target.damages++ // that states differ is what happens here
		reads := w.readsFromTheBeginning()
		w.mu.Lock()
		e := w.nextEntry()
		e.Key, e.Put = "wrong", []byte(`{}`)
		r := w.sign(e)
		before := w.newest()
		w.fold(*r.record)
		w.store(r)
		w.note(before, *r.record)
		w.mu.Unlock()
		w.runFor(60)
		s := m.follower.Status()
		if s.DifferentState == nil || s.Rebuilds != 0 || reads.Load() != 1 || s.Applied != w.head() {
			t.Errorf("it was read %d times: %+v", reads.Load(), s)
		}
		w.one("right")
		w.runFor(30)
		if s := m.follower.Status(); s.DifferentState != nil || reads.Load() != 1 {
			t.Errorf("after a state that was signed rightly, read %d times: %+v", reads.Load(), s)
		}
		m.stop()
	})
}

// TestAKeysNoteMayComeFirst lets a follower know, from another environment, that a
// key is retired, while publishers go on with it here: what they sign is not taken,
// and the follower does not say that it has everything.
func TestAKeysNoteMayComeFirst(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w := newWorld(t, rand.New(rand.NewPCG(1, 1)))
		options := w.connecting()
		c, err := flagsync.Connect(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		m := &model{t: t, world: w, conn: c, target: &modelTarget{t: t, world: w}}
		m.start()
		w.runFor(3)
		w.mu.Lock()
		retiring := w.keys.signer
		w.mu.Unlock()
		w.prepareKey()
		if err := options.Keyring.Adopt(w.keys.note.Text); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		coming := w.keys.signer
		w.keys.signer = retiring
		w.mu.Unlock()
		w.one("of the old key")
		for range 5 {
			time.Sleep(time.Second)
			if err := m.follower.Barrier(t.Context()); err == nil && m.target.Position() != w.head() {
				t.Fatalf("a barrier succeeded at %+v, the log is at %+v", m.target.Position(), w.head())
			}
		}
		w.mu.Lock()
		w.keys.signer = coming
		w.append([]changelog.Entry{w.keys.entry(t)})
		w.mu.Unlock()
		w.runFor(10)
		m.expectCurrent("after the keys note has come here")
		m.stop()
		c.Close()
	})
}

// TestEntriesTakeThePlaceOfNoise replaces a log by one of the same length, which has
// entries where noise was, while the connection stands and the feed is lost. What was
// noise once is looked at again, by those who hold entries and by those who have none.
func TestEntriesTakeThePlaceOfNoise(t *testing.T) {
	for name, held := range map[string]int{"with entries": 2, "without any": 0} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				w := newWorld(t, rand.New(rand.NewPCG(1, 1)))
				w.mu.Lock()
				w.truncate(held)
				for len(w.messages) < 4 {
					w.store(w.randomBytes())
				}
				w.mu.Unlock()
				m := another(t, w)
				w.runFor(15)
				w.setFaults(worldFaults{loseFeed: 100})
				w.mu.Lock()
				w.truncate(held)
				w.mu.Unlock()
				if held == 0 {
					w.newEpoch()
				}
				for len(w.messages) < 4 {
					w.one("true")
				}
				for range 20 {
					if err := m.follower.Barrier(t.Context()); err == nil && m.target.Position() != w.head() {
						t.Fatalf("a barrier succeeded at %+v, the log is at %+v", m.target.Position(), w.head())
					}
					time.Sleep(time.Second) // without a heartbeat
				}
				if m.target.Position() != w.head() {
					t.Errorf("it stays at %+v, the log is at %+v: %+v", m.target.Position(), w.head(), m.follower.Status())
				}
				m.stop()
			})
		})
	}
}

// TestWhatIsHeldMayBeStoredAgain restores a log behind the back of a follower that
// holds more, lets it go another way, and stores what the follower holds again at its
// own revision: that it stands there does not make it part of the log. The publishers'
// heartbeats tell, and a new epoch is taken over, also where it begins before that.
func TestWhatIsHeldMayBeStoredAgain(t *testing.T) {
	for name, renewed := range map[string]bool{"in the same epoch": false, "in a new epoch": true} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				w, m := followQuietly(t)
				for range 10 {
					w.one("lost")
				}
				w.runFor(2)
				w.mu.Lock()
				lost := w.messages[2:]
				w.truncate(2)
				w.mu.Unlock()
				w.setFaults(worldFaults{loseFeed: 100})
				if renewed {
					w.renew(true)
				} else {
					w.one("another way")
				}
				w.mu.Lock()
				for len(w.messages) < 12 {
					again := lost[len(w.messages)-2]
					if len(w.messages) < 11 {
						again = w.randomBytes()
					}
					again.record = nil
					w.store(again)
				}
				w.mu.Unlock()
				w.wire.cut()
				w.runFor(30)
				s := m.follower.Status()
				if !renewed && (!errors.Is(s.DifferentHistory, follow.ErrForked) || s.Age < 20*time.Second) {
					t.Errorf("what is held is not in the log: %+v", s)
				}
				if !renewed {
					w.renew(true)
					w.runFor(30)
				}
				m.expectCurrent("after a new epoch")
				m.stop()
			})
		})
	}
}
