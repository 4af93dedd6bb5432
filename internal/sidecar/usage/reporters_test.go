package usage_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/sidecar/usage"
)

// Clients that tell their counts are known by their ids, for as long as they go on, and in bounded memory.
func TestClientsThatTell(t *testing.T) {
	t.Parallel()
	c, now := usage.New(""), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	told := func(client string, want int) {
		t.Helper()
		c.Told(client, now)
		if got := c.Telling(now); got != want {
			t.Errorf("%d clients tell after %.20q, want %d", got, client, want)
		}
	}
	told("a", 1)
	told("a", 1)
	told("", 1)
	told(strings.Repeat("x", usage.MaxReporter+1), 1)
	now = now.Add(2 * time.Minute)
	told("b", 2)
	now = now.Add(time.Minute)
	if got := c.Telling(now); got != 1 {
		t.Errorf("%d clients tell after three minutes, want the second alone", got)
	}
	for i := range 2000 {
		c.Told(fmt.Sprint("client-", i), now)
	}
	if got := c.Telling(now); got != 1000 {
		t.Errorf("%d clients are kept, want 1000", got)
	}
	told("b", 1000) // one that is known goes on
	var none *usage.Counts
	none.Told("a", now)
	if none.Telling(now) != 0 {
		t.Error("nothing counts something")
	}
}
