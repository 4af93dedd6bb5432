package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// flagIDs are flags as a change has them.
func flagIDs(keys ...string) (ids []document.ID) {
	for _, key := range keys {
		ids = append(ids, document.ID{Kind: document.KindFlag, Key: key})
	}
	return ids
}

func refuses(keys ...string) func(*status.Report) {
	return func(r *status.Report) { r.Refused, r.RefusedKeys = len(keys), keys }
}

// One sidecar that refuses a document, or one report that was invented, keeps changes from being served everywhere. That must not have each report
// of the others weigh the fleet anew.
func TestABadSidecarMakesReportsNoDearer(t *testing.T) {
	t.Parallel()
	const sidecars, changes = 2000, 100
	for name, bad := range map[string]func(*status.Report){
		"refusing": refuses("k"), "diverged": func(r *status.Report) { r.State = digest(9999) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			pods := make([]string, sidecars)
			for i := range pods {
				pods[i] = fmt.Sprintf("P%d-", i)
				f.report(pods[i], 1)
			}
			for revision := uint64(2); revision < 2+changes; revision++ {
				f.Committed(fleet.Change{Position: at(revision), State: digest(revision), IDs: flagIDs("k")}, f.now)
			}
			weighed := f.Weighed()
			f.report(pods[0], changes+1, bad)
			for _, pod := range pods[1:] {
				f.report(pod, changes+1)
			}
			for _, pod := range pods[1:] { // as every ten seconds
				f.report(pod, changes+1)
			}
			f.report(pods[0], changes+1, bad)
			if work := f.Weighed() - weighed; work > 2*sidecars {
				t.Errorf("%d reports weighed %d changes", 2*sidecars, work)
			}
			weighed = f.Weighed()
			for range 10 { // two that refuse by turns
				f.report(pods[1], changes+1, bad)
				f.report(pods[0], changes+1)
				f.report(pods[0], changes+1, bad)
				f.report(pods[1], changes+1)
			}
			if work := f.Weighed() - weighed; work > 40*2*changes {
				t.Errorf("40 reports that change something weighed %d changes", work)
			}
			for revision := uint64(2); revision < 2+changes; revision++ {
				if s, _ := f.Serving(at(revision).Token()); s.Everywhere {
					t.Fatalf("revision %d is called served everywhere", revision)
				}
			}
			f.report(pods[0], changes+1)
			for revision := uint64(2); revision < 2+changes; revision++ {
				if s, _ := f.Serving(at(revision).Token()); !s.Everywhere {
					t.Fatalf("revision %d is not called served everywhere once nothing is refused", revision)
				}
			}
		})
	}
}

// What is counted as reports come is what a count of all sidecars finds, whatever they report, and whatever becomes known of changes later.
func TestCountsAreThoseOfTheFleet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		f := newFixture(t)
		head := uint64(1)
		for range 600 {
			switch random.IntN(8) {
			case 0:
				head++
				c := fleet.Change{Position: at(head), State: digest(head), IDs: flagIDs(keyOf(random), keyOf(random))}
				if random.IntN(4) == 0 {
					c.IDs = []document.ID{{Kind: document.KindSegment, Key: "a"}}
				}
				if random.IntN(2) == 0 { // the rest is told later
					f.Committed(fleet.Change{Position: c.Position}, f.now)
				}
				if random.IntN(4) > 0 {
					f.Committed(c, f.now)
				}
			case 1:
				f.Committed(fleet.Change{Position: at(head), State: digest(head - random.Uint64N(2)), IDs: flagIDs(keyOf(random))}, f.now)
			case 2:
				f.pass(time.Duration(random.IntN(60)) * time.Second)
			case 3:
				if random.IntN(60) == 0 {
					f.Stand(changelog.Position{Epoch: changelog.NewEpoch(time.Now(), at(1).Epoch), Revision: head}, digest(head))
					f.Stand(at(head), digest(head)) // it is restored
				}
			default:
				f.report(fmt.Sprintf("P%d-", random.IntN(12)), max(1, head+1-random.Uint64N(4)), anyReport(random))
			}
			f.Look(f.now)
			if err := f.Recount(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

func keyOf(random *rand.Rand) string { return string(rune('a' + random.IntN(4))) }

// anyReport makes a report one that refuses, has diverged, acknowledges or says good-bye.
func anyReport(random *rand.Rand) func(*status.Report) {
	return func(r *status.Report) {
		switch random.IntN(10) {
		case 0, 1:
			refuses(keyOf(random))(r)
		case 2:
			refuses(keyOf(random))(r)
			r.Refused += random.IntN(2)
		case 3:
			r.State = digest(r.Position.Revision + 1)
		case 4:
			r.Kind = status.KindAck
		case 5:
			r.Kind = status.KindBye
		}
	}
}
