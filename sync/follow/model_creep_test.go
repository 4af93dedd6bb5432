package follow_test

import (
	"testing"
	"time"
)

// TestBeatsThatCreepProveNothing lets a connection carry everything later and
// later, without ever a silence: old beats keep coming. A change that was made
// meanwhile is not known here, and nothing is called current on account of them.
// Another connection is made before long.
func TestBeatsThatCreepProveNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.wire.creep()
		for range 9 {
			w.beat()
			time.Sleep(time.Second)
		}
		w.setFaults(worldFaults{loseFeed: 100})
		w.one("unknown")
		written := time.Now()
		for m.follower.Status().Applied != w.head() && time.Since(written) < time.Minute {
			s := m.follower.Status()
			if s.LastConfirmed.After(written) {
				t.Fatalf("%s after a change that is not known here: confirmed %s ago", time.Since(written), s.Age)
			}
			if time.Since(s.LastHeartbeat) > 2500*time.Millisecond && s.Connected {
				t.Fatal("there was a silence")
			}
			w.beat()
			time.Sleep(time.Second)
		}
		if took := time.Since(written); took < time.Second || took > 20*time.Second {
			t.Errorf("the change was known after %s, want later than it looks, and not much later", took)
		}
		m.stop()
	})
}
