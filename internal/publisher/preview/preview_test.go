package preview

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/fleet"
	wire "github.com/flagside/flagside/sync/preview"
	"github.com/flagside/flagside/sync/status"
)

// sidecars returns so many of an application.
func sidecars(application string, n int) (all []fleet.Sidecar) {
	for i := range n {
		all = append(all, fleet.Sidecar{
			Report:   status.Report{Boot: fmt.Sprintf("%s-%03d", application, i), Identity: status.Identity{Application: application}, Clients: map[string]int{status.FaceSync: 1}},
			Standing: fleet.Current,
		})
	}
	return all
}

// Those who are asked stand for the whole fleet, whatever its shape: their scales sum up to it, every application has one if there are few enough, and
// none is asked twice.
func TestSamplesStandForTheFleet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ applications, each, asked int }{
		"none": {0, 0, 0}, "one": {1, 1, 1}, "all": {4, 10, 40}, "more": {4, 100, 40}, "uneven": {7, 50, 40}, "many applications": {100, 3, 40},
	} {
		var f fleet.Fleet
		for i := range test.applications {
			f.Sidecars = append(f.Sidecars, sidecars(fmt.Sprint("app-", i), test.each)...)
		}
		silent := sidecars("silent", 1)[0]
		silent.Standing = fleet.Silent
		f.Sidecars = append(f.Sidecars, silent)
		s := Choose(f, MaxAsked, rand.New(rand.NewPCG(1, 1)))
		sum, boots, applications := 0.0, make(map[string]bool), make(map[string]bool)
		for _, one := range s.Asked {
			sum += one.Scale
			boots[one.Boot], applications[one.Application] = true, true
		}
		all := test.applications * test.each
		if len(s.Asked) != test.asked || len(boots) != test.asked || s.Sidecars != all || s.InProcess != all || math.Abs(sum-float64(all)) > 1e-6 {
			t.Errorf("%s: %d asked of %d, which stand for %v", name, len(s.Asked), s.Sidecars, sum)
		}
		if len(applications) != min(test.applications, test.asked) || applications["silent"] {
			t.Errorf("%s: %d applications", name, len(applications))
		}
	}
}

// Answers are summed up with what each stands for. Those of others, second ones, and refusals add nothing.
func TestAnswersAreSummedUp(t *testing.T) {
	t.Parallel()
	s := Sample{Sidecars: 14, Asked: []Asked{
		{Boot: "a", Application: "shop", Scale: 2},
		{Boot: "b", Application: "cart", Scale: 10},
		{Boot: "c", Name: "search-1", Namespace: "x", Application: "search", Scale: 1},
		{Boot: "d", Application: "search", Scale: 1},
	}}
	flag := wire.Flag{Key: "f", Evaluations: 100, Samples: 50, ErrorsAfter: 5, Changes: []wire.Change{{From: "off", To: "on", N: 20}}}
	few := wire.Flag{Key: "f", Evaluations: 7, Samples: 7}
	at := time.Unix(1, 0)
	got := Sum(s, []wire.Answer{
		{Boot: "a", SinceMs: 5000, Applications: []string{"shop"}, Flags: []wire.Flag{flag}},
		{Boot: "a", Flags: []wire.Flag{flag}},
		{Boot: "x", Flags: []wire.Flag{flag}},
		{Boot: "b", SinceMs: 9000, Applications: []string{"cart", "shop"}, Flags: []wire.Flag{few}, Partial: true},
		{Boot: "c", Refused: wire.RefusedClock, AheadMs: -90_000},
		{Boot: "d", Refused: wire.RefusedBusy},
	}, at)
	want := Impact{
		Sample: s, Answered: 2, Refused: map[wire.Refusal]int{wire.RefusedBusy: 1, wire.RefusedClock: 1}, Unanswered: []string{"search"},
		Clocks: []Clock{{Name: "search-1", Namespace: "x", Ahead: -90 * time.Second}}, Applications: []string{"cart", "shop"}, Since: 9 * time.Second, Partial: true, At: at,
		Flags: []Flag{{Key: "f", Evaluations: 200, TooFew: 70, Samples: 50, Changed: 40, ErrorsAfter: 10, Fails: true, Changes: []wire.Change{{From: "off", To: "on", N: 40}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Sidecars that have counts stand for those of their application that have none, so that sums are those of the fleet.
func TestSilentOnesAreStoodInFor(t *testing.T) {
	t.Parallel()
	f := fleet.Fleet{Sidecars: append(sidecars("shop", 90), sidecars("cart", 30)...)}
	s := Choose(f, MaxAsked, rand.New(rand.NewPCG(1, 1)))
	var answers []wire.Answer
	for i, one := range s.Asked {
		evaluations := uint64(100)
		if one.Application == "cart" {
			evaluations = 10
		}
		if i%3 > 0 {
			answers = append(answers, wire.Answer{Boot: one.Boot, Flags: []wire.Flag{{Key: "f", Evaluations: evaluations, Samples: 20}}})
		}
	}
	got := Sum(s, answers, time.Unix(1, 0))
	if len(answers) > 27 || got.Answered != len(answers) || len(got.Flags) != 1 || got.Flags[0].Evaluations != 90*100+30*10 || len(got.Unanswered) > 0 {
		t.Errorf("%d answers: %+v", len(answers), got)
	}
}

// A sidecar can claim what it wants and break nothing.
func TestClaimsAreBounded(t *testing.T) {
	t.Parallel()
	s := Sample{Sidecars: 1}
	var answers []wire.Answer
	for i := range MaxAsked {
		boot := fmt.Sprint(i)
		s.Asked = append(s.Asked, Asked{Boot: boot, Scale: 1e9})
		a := wire.Answer{Boot: boot, SinceMs: math.MaxInt64, MoreFlags: wire.MaxCount}
		for j := range wire.MaxFlags {
			a.Flags = append(a.Flags, wire.Flag{Key: strings.Repeat("k", i) + fmt.Sprint(j), Evaluations: wire.MaxCount, Samples: math.MaxInt32, ErrorsAfter: wire.MaxCount, Changes: []wire.Change{{N: wire.MaxCount}}})
		}
		answers = append(answers, a)
	}
	got := Sum(s, answers, time.Unix(1, 0))
	if len(got.Flags) != wire.MaxFlags || got.Since < 0 || got.MoreFlags < 0 {
		t.Errorf("%d flags since %s", len(got.Flags), got.Since)
	}
	for _, f := range got.Flags {
		if f.Changed > f.Evaluations {
			t.Fatalf("%+v", f)
		}
	}
}
