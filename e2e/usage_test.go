package e2e_test

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
)

// A sidecar that is killed loses what it has counted since its last report, and nothing else. One that is told to stop loses nothing.
func TestUsageOfAKilledSidecar(t *testing.T) {
	t.Parallel()
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("takes three minutes, because sidecars report once a minute: FLAGSIDE_SOAK=1 runs it")
	}
	const reported, unreported, later = 200, 100, 50
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	s.startPublisher()
	s.createEnvironment("prod")
	s.put("prod", "checkout", "", "true")
	c, err := s.publisher.API()
	if err != nil {
		t.Fatal(err)
	}
	counted := func() (n uint64, lost uint64) {
		u, err := c.FlagUsage(s.ctx, "prod", "checkout", api.FlagUsageQuery{})
		if err != nil {
			return 0, 0
		}
		for _, one := range u.Series {
			n += one.Evaluations
		}
		return n, u.Lost + u.Missed
	}
	await := func(what string, atLeast uint64) {
		if err := process.Await(s.ctx, what, func() bool { n, _ := counted(); return n >= atLeast }); err != nil {
			n, lost := counted()
			t.Fatalf("%v: %d counted, %d lost", err, n, lost)
		}
	}
	dir := t.TempDir()
	ask := func(sidecar *process.Sidecar, n int) {
		for range n {
			s.wantAnswer(sidecar, "checkout", http.StatusOK, "true")
		}
	}
	sidecar := s.startSidecar("prod", dir)
	s.awaitValue(sidecar, "checkout", "true") // asks as often as it takes, and so counts at least one
	ask(sidecar, reported)
	await("waiting for the first report", reported+1)
	before, _ := counted()
	ask(sidecar, unreported)
	sidecar.Kill()
	sidecar = s.startSidecar("prod", dir)
	s.awaitReady(sidecar)
	ask(sidecar, later)
	if err := sidecar.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	await("waiting for the last report", before+later)
	n, lost := counted()
	if n < before+later || n > before+later+unreported || lost != 0 {
		t.Errorf("%d counted, want %d, and up to %d more that a kill may lose; %d lost otherwise", n, before+later, unreported, lost)
	}
	t.Logf("%d counted, %d of %d that were not reported were lost by the kill", n, before+later+unreported-n, unreported)
}
