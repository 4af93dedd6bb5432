package follow_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// one commits a transaction of one entry.
func (w *world) one(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.append([]changelog.Entry{{Kind: document.KindFlag, Key: key, Put: []byte("{}")}})
}

// TestABarrierShowsAForkOfTheSameLength puts another entry in the place of the
// last one while the follower stays connected and hears neither feed nor beats:
// the leader names the revision that is applied, and yet no barrier succeeds.
func TestABarrierShowsAForkOfTheSameLength(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.one("held")
		time.Sleep(time.Second)
		if err := m.follower.Barrier(t.Context()); err != nil {
			t.Fatalf("before the fork: %v", err)
		}
		w.setFaults(worldFaults{loseFeed: 100})
		w.mu.Lock()
		w.truncate(len(w.messages) - 1)
		w.mu.Unlock()
		w.one("other")
		for range 3 {
			if err := m.follower.Barrier(t.Context()); err == nil {
				t.Error("a barrier succeeded on a forked log")
			}
			time.Sleep(time.Second)
		}
		if s := m.follower.Status(); !errors.Is(s.DifferentHistory, follow.ErrForked) {
			t.Errorf("different history: %v, want a fork", s.DifferentHistory)
		}
		m.stop()
	})
}

// TestOtherTimesAreLookedAtOnce lets the leader name another time of its last
// entry than the feed did, which alone proves nothing: the entry is looked at,
// and barriers succeed.
func TestOtherTimesAreLookedAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.one("held")
		time.Sleep(time.Second)
		var looks atomic.Int64
		answer := w.wire.answer
		w.wire.answer = func(r request) {
			if strings.HasPrefix(r.subject, "$JS.API.STREAM.MSG.GET.FLAGS_") {
				looks.Add(1)
			}
			answer(r)
		}
		w.mu.Lock()
		w.messages[len(w.messages)-1].taken = time.Now() // a restored store may not remember it
		w.mu.Unlock()
		for i := range 5 {
			if err := m.follower.Barrier(t.Context()); err != nil {
				t.Errorf("barrier %d: %v", i, err)
			}
		}
		if n := looks.Load(); n != 1 {
			t.Errorf("the entry was looked at %d times, want once", n)
		}
		m.stop()
	})
}

// TestABarrierShowsAForkBehindNoise does the same where both logs end with noise of
// which the follower has only heard by a heartbeat.
func TestABarrierShowsAForkBehindNoise(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.one("held")
		w.runFor(1)
		w.setFaults(worldFaults{loseFeed: 100})
		addNoise := func() {
			w.mu.Lock()
			w.store(w.guessedSignature())
			w.mu.Unlock()
		}
		addNoise()
		w.runFor(1)
		if s := m.follower.Status(); s.Foreign.Messages != 1 {
			t.Fatalf("the noise is not known: %+v", s)
		}
		w.mu.Lock()
		w.truncate(len(w.messages) - 2)
		w.mu.Unlock()
		w.one("other")
		addNoise()
		for range 3 {
			if err := m.follower.Barrier(t.Context()); err == nil {
				t.Error("a barrier succeeded on a forked log")
			}
			time.Sleep(time.Second)
		}
		if s := m.follower.Status(); !errors.Is(s.DifferentHistory, follow.ErrForked) {
			t.Errorf("different history: %v, want a fork", s.DifferentHistory)
		}
		m.stop()
	})
}
