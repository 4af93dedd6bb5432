package flagsync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// What the age is counted from, and what is waited for, carries a reading of the monotonic clock, whether a barrier or a beat confirmed:
// two such moments are compared by that clock alone, so that setting the other one never makes knowledge older or younger.
func TestMomentsAreMonotonic(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, patient)
	s := r.until(t, "a barrier", isSynced)
	wantMonotonic(t, "a barrier", s.LastConfirmed)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	s = r.until(t, "a beat that confirms", func(s follow.Status) bool {
		return !s.LastHeartbeat.IsZero() && s.LastConfirmed.Equal(s.LastHeartbeat)
	})
	wantMonotonic(t, "a beat", s.LastConfirmed)
	wantMonotonic(t, "the last beat", s.LastHeartbeat)
}

// wantMonotonic fails the test unless the moment has a monotonic reading, which only its string shows.
func wantMonotonic(t *testing.T, what string, at time.Time) {
	t.Helper()
	if !strings.Contains(at.String(), " m=") || strings.Contains(at.Round(0).String(), " m=") {
		t.Errorf("%s: %s has no monotonic reading", what, at)
	}
}
