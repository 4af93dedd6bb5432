package flagsync_test

import (
	"strings"
	"testing"
	"time"

	flagsync "github.com/flagside/flagside/sync"
)

// What the age is counted from, and what is waited for, carries a reading of the monotonic clock, whether a barrier or a beat confirmed:
// two such moments are compared by that clock alone, so that no one who sets the other one makes knowledge older or younger.
func TestMomentsAreMonotonic(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := follow(t, l.conn, patient)
	s := r.until(t, "a barrier", isSynced)
	wantMonotonic(t, "a barrier", s.LastConfirmed)
	run(t, flagsync.NewBeater(l.Log, testLogger).Run)
	s = r.until(t, "a beat that confirms", func(s flagsync.Status) bool {
		return !s.LastBeat.IsZero() && s.LastConfirmed.Equal(s.LastBeat)
	})
	wantMonotonic(t, "a beat", s.LastConfirmed)
	wantMonotonic(t, "the last beat", s.LastBeat)
}

// wantMonotonic fails the test unless the moment has a monotonic reading, which only its string shows.
func wantMonotonic(t *testing.T, what string, at time.Time) {
	t.Helper()
	if !strings.Contains(at.String(), " m=") || strings.Contains(at.Round(0).String(), " m=") {
		t.Errorf("%s: %s has no monotonic reading", what, at)
	}
}
