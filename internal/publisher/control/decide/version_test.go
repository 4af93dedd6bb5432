package decide_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

func TestWhichVersionCounts(t *testing.T) {
	t.Parallel()
	known := func(digests ...string) (v requests.Versions) {
		for _, d := range digests {
			v = append(v, requests.SourceVersion{Name: files, Digest: d})
		}
		return v
	}
	for _, test := range []struct {
		name    string
		known   requests.Versions
		digest  string
		changed bool
		before  string
		sole    bool
		want    decide.Verdict
	}{
		{"the first", nil, "a", true, "", false, decide.TakeUp},
		{"the same", known("a"), "a", true, "", false, decide.TakenUp},
		{"a new one", known("a"), "b", true, "a", false, decide.TakeUp},
		{"a new one that was not seen to come", known("a"), "b", false, "a", false, decide.Behind},
		{"what was replaced, at the start", known("a", "b"), "a", true, "", false, decide.Behind},
		{"what was replaced, by the only publisher", known("a", "b"), "a", true, "", true, decide.TakeUp},
		{"what another publisher has replaced", known("a", "b"), "a", false, "a", false, decide.Behind},
		{"a revert of what was seen", known("a", "b"), "a", true, "b", false, decide.TakeUp},
		{"a revert of something else", known("a", "b", "c"), "a", true, "b", false, decide.Behind},
	} {
		v := decide.SeenVersion{SourceVersion: requests.SourceVersion{Name: files, Digest: test.digest}, Changed: test.changed, Sole: test.sole, Before: map[string]bool{test.before: true}}
		if got := v.Judge(test.known); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	ordered := requests.Versions{{Digest: "old", Order: 5}, {Digest: "new", Order: 9}}
	for order, want := range map[uint64]decide.Verdict{7: decide.Behind, 10: decide.TakeUp} { // whatever was seen of it
		v := decide.SeenVersion{SourceVersion: requests.SourceVersion{Digest: "between", Order: order}, Changed: true}
		if got := v.Judge(ordered); got != want {
			t.Errorf("order %d: %d, want %d", order, got, want)
		}
	}
}

// mount is a publisher that reads versions of a source later than they are made.
type mount struct {
	at      int // of the versions
	changed bool
	before  map[string]bool
}

// Publishers whose mounts follow at different paces agree on the newest version once all have it, and none goes back and forth without its mount.
func TestPublishersAgreeOnTheVersion(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		g := requests.NewGovernance("prod")
		var versions []string
		for range 2 + random.IntN(10) { // few, so that some come back
			versions = append(versions, fmt.Sprint(random.IntN(4)))
		}
		mounts, sequence, moves := make([]mount, 2+random.IntN(2)), uint64(0), 0
		for i := range mounts {
			mounts[i] = mount{changed: true, before: map[string]bool{}}
		}
		look := func(m *mount) {
			v := decide.SeenVersion{SourceVersion: requests.SourceVersion{Name: files, Digest: versions[m.at]}, Changed: m.changed, Before: m.before}
			e, verdict := v.Event(g, decide.DecisionInput{Origin: follows(files), Now: time.Unix(0, 0)})
			if m.before[versions[m.at]] = true; verdict != decide.Behind {
				m.changed = false
			}
			if e.Type != "" {
				sequence++
				if err := g.Evolve(sequence, e); err != nil {
					t.Fatal(err)
				}
			}
		}
		for behind := true; behind; {
			behind = false
			for i := range mounts {
				m := &mounts[i]
				if m.at < len(versions)-1 && random.IntN(3) == 0 {
					m.at += 1 + random.IntN(len(versions)-1-m.at) // some are never seen
					m.changed, moves = true, moves+1
				}
				look(m)
				behind = behind || m.at < len(versions)-1
			}
		}
		for range 3 { // nothing happens any more
			for i := range mounts {
				look(&mounts[i])
			}
		}
		if newest := g.Versions(files).Newest().Digest; newest != versions[len(versions)-1] {
			t.Fatalf("seed %d: %s counts, of %v", seed, newest, versions)
		}
		if taken := len(g.Versions(files)); taken > moves+len(mounts) {
			t.Fatalf("seed %d: %d times a version was taken up, after %d changes of mounts", seed, taken, moves)
		}
	}
}
