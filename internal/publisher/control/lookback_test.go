package control_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

// Whatever the log holds, and wherever noise took numbers, the revision parts what is older from what is not.
func TestRevisionBefore(t *testing.T) {
	t.Parallel()
	const seed = 3
	random := rand.New(rand.NewPCG(seed, seed))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for round := range 500 {
		log := &fakeLog{t: t, state: statetest.New(), past: []changelog.Record{}}
		revision, at := uint64(random.IntN(4)), start
		for range random.IntN(40) {
			revision += 1 + uint64(random.IntN(3)*random.IntN(30)) // noise took some
			at = at.Add(time.Duration(random.IntN(3)) * time.Hour)
			log.past = append(log.past, changelog.Record{Entry: changelog.Entry{Revision: revision, Time: at}})
		}
		limit := start.Add(time.Duration(random.IntN(40)-2) * time.Hour)
		got, err := service(log, fakeFollower{}, nil).RevisionBefore(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range log.past {
			if older := r.Time.Before(limit); older != (r.Revision <= got) {
				t.Fatalf("round %d: %d for %s, but revision %d is of %s (seed %d)", round, got, limit, r.Revision, r.Time, seed)
			}
		}
		if log.reads > 14 {
			t.Errorf("%d reads of a log of %d revisions", log.reads, revision)
		}
	}
}
