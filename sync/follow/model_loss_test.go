package follow_test

import (
	"testing"
	"time"
)

// TestAGapInTheFeedIsFilled loses an entry of the feed: the next one shows it,
// and no follower waits for a beat or a barrier to read it.
func TestAGapInTheFeedIsFilled(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.setFaults(worldFaults{loseFeed: 100})
		w.write()
		time.Sleep(50 * time.Millisecond)
		if s := m.follower.Status(); s.Applied == w.head() {
			t.Fatal("the feed lost nothing")
		}
		w.setFaults(worldFaults{})
		w.write()
		time.Sleep(200 * time.Millisecond)
		if s := m.follower.Status(); s.Applied != w.head() || s.Gaps != 1 {
			t.Errorf("200 ms after a gap that could be seen, with the log at %+v: %+v", w.head(), s)
		}
		m.stop()
	})
}

// TestAReplicaThatIsBehindProvesNothing answers reads from a replica that lacks
// the newest entries: they are asked for again, and had as soon as the replica
// has them, or from the leader if that takes long, without any beat.
func TestAReplicaThatIsBehindProvesNothing(t *testing.T) {
	for name, behind := range map[string]time.Duration{"briefly": 60 * time.Millisecond, "for long": time.Hour} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				w, m := followQuietly(t)
				w.setFaults(worldFaults{loseFeed: 100})
				w.write()
				w.setFaults(worldFaults{behind: 10})
				w.write() // shows the gap
				if behind < time.Minute {
					time.Sleep(behind)
					if s := m.follower.Status(); s.Applied == w.head() {
						t.Error("the replica was not behind")
					}
					w.setFaults(worldFaults{})
				}
				time.Sleep(2 * time.Second) // the leader is asked for one entry after the other
				if s := m.follower.Status(); s.Applied != w.head() || s.Hole != nil || s.DifferentHistory != nil {
					t.Errorf("a replica that is behind was believed; the log is at %+v: %+v", w.head(), s)
				}
				m.stop()
			})
		})
	}
}

// TestALogWithAHeadAndNothingElse begins with a log of which every entry is
// lost: that is a hole, and no log that is empty or cannot be reached.
func TestALogWithAHeadAndNothingElse(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, c := quiet(t)
		defer c.Close()
		w.write()
		w.mu.Lock()
		for revision := range len(w.messages) {
			w.lost[revision+1] = true
		}
		w.mu.Unlock()
		m := &model{t: t, world: w, conn: c, target: &modelTarget{t: t, world: w}}
		m.start()
		time.Sleep(5 * time.Second)
		if s := m.follower.Status(); s.Hole == nil || s.AgeKnown || !s.Applied.IsZero() {
			t.Errorf("a log that has lost everything: %+v", s)
		}
		m.stop()
	})
}
