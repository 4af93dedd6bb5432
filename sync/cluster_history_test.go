package flagsync_test

import (
	"context"
	"testing"

	"github.com/flagside/flagside/sync/follow"
)

// TestClusterTakesOverANewEpoch deletes the stream of three servers under
// followers, writes a new epoch, and publishes a snapshot while the leadership
// moves: they keep what they have until the new state is whole, and a follower that
// comes later begins with that snapshot or the log.
func TestClusterTakesOverANewEpoch(t *testing.T) {
	t.Parallel()
	servers, l := newReplicated(t)
	told := newOutcomes()
	for _, op := range []string{"op-1", "op-2", "op-3"} {
		told.append(t, l.Log, op)
	}
	held := l.settled(t)
	r := startFollowing(t, connectSidecar(t, l.url), impatient)
	r.reach(t, held.Revision)
	r.until(t, "synced", isSynced)

	c := servers.Client(t)
	if answer := api(t, c, "STREAM.DELETE."+flagsOf, nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	s := r.until(t, "a missing stream", func(s follow.Status) bool { return s.StreamMissing })
	if s.Applied != held || r.target.count() == 0 {
		t.Errorf("it holds %d documents of %+v, want those of %+v", r.target.count(), s.Applied, held)
	}
	renewed := l.recreate(t, "again", put("a", "{}"), put("b", "{}"))
	r.until(t, "the new epoch", func(s follow.Status) bool { return s.Applied == renewed && s.DifferentHistory == nil })

	moved := make(chan struct{})
	go func() {
		defer close(moved)
		if _, err := c.Request("$JS.API.STREAM.LEADER.STEPDOWN.SNAP_"+environment, nil, patience); err != nil {
			t.Error(err)
		}
	}()
	patiently(t, func(ctx context.Context) error {
		_, err := l.PublishSnapshot(ctx, r.target) // not again if an attempt that failed has done it
		return err
	})
	<-moved
	told.append(t, l.Log, "op-4")
	l.verifyFollowers(t, []*running{r, startFollowing(t, connectSidecar(t, l.url), early)})
}
