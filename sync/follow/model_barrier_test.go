package follow_test

import (
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// TestBarriersAtOnce makes 500 barriers while the leader, a second away, is being
// asked: no call may join that question, and all share the next.
func TestBarriersAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.setFaults(worldFaults{slowLeader: time.Second})
		before := m.follower.Breakers()[0].Requests
		var wg sync.WaitGroup
		barrier := func() {
			if err := m.follower.Barrier(t.Context()); err != nil {
				t.Error(err)
			}
		}
		begin := time.Now()
		wg.Go(barrier)
		time.Sleep(500 * time.Millisecond)
		for range 500 {
			wg.Go(barrier)
		}
		wg.Wait()
		if asked := m.follower.Breakers()[0].Requests - before; asked != 2 {
			t.Errorf("501 barriers took %d questions, want 2", asked)
		}
		if took := time.Since(begin); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("two questions of a second took %s", took)
		}
		w.setFaults(worldFaults{})
		m.stop()
	})
}

// partly stores a transaction of three entries but for the last one, which is returned.
func (w *world) partly() (last stored) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []changelog.Entry
	for _, key := range []string{"a", "b", "c"} {
		entries = append(entries, changelog.Entry{Kind: document.KindFlag, Key: key, Put: []byte(`{}`)})
	}
	w.append(entries)
	end := len(w.messages) - 1
	last, w.messages = w.messages[end], w.messages[:end]
	w.past = w.past[:len(w.past)-1]
	return last
}

// TestABarrierWithinATransaction asks the leader while it stores a transaction, and has
// told the feed nothing of its end: the barrier succeeds once that is stored. Where it
// never is, the answer comes soon, and says why.
func TestABarrierWithinATransaction(t *testing.T) {
	for name, test := range map[string]struct {
		completes time.Duration // 0 never
		told      bool          // by the feed
	}{"the rest comes": {300 * time.Millisecond, true}, "the rest is asked for": {300 * time.Millisecond, false}, "it never comes": {}} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				w, m := followQuietly(t)
				w.setFaults(worldFaults{loseFeed: 100})
				rest := w.partly()
				begin, ended := time.Now(), make(chan error, 1)
				go func() { ended <- m.follower.Barrier(t.Context()) }()
				if test.completes > 0 {
					time.Sleep(test.completes)
					if test.told {
						w.setFaults(worldFaults{})
					}
					w.mu.Lock()
					w.store(rest)
					w.mu.Unlock()
				}
				err := <-ended
				took := time.Since(begin)
				switch {
				case test.completes == 0 && (err == nil || took > 5*time.Second):
					t.Errorf("after %s: %v", took, err)
				case test.completes > 0 && (err != nil || m.target.Position() != w.head() || took > 2*time.Second):
					t.Errorf("after %s at %+v of %+v: %v", took, m.target.Position(), w.head(), err)
				}
				w.setFaults(worldFaults{})
				m.stop()
			})
		})
	}
}
