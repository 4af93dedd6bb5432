package follow_test

import (
	"sync"
	"testing"
	"time"
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
