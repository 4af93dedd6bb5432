package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/api"
)

// What people read says how much it is known from, what is not known and why, and never that nothing changes where nothing was told.
func TestImpactLines(t *testing.T) {
	t.Parallel()
	half := api.ImpactFlag{Key: "f", Evaluations: 48_210, Samples: 3012, Changed: 5978, Changes: []api.ImpactChange{{From: "off", To: "on", N: 5978}}}
	few := api.ImpactFlag{Key: "f", Evaluations: 100, Samples: 100, Fails: true}
	base := api.Impact{Answered: 40, Asked: 40, Sidecars: 212, SinceSeconds: 3480, Applications: make([]string, 31), Flags: []api.ImpactFlag{half}}
	for name, test := range map[string]struct {
		change func(*api.Impact)
		want   string
	}{
		"a sample": {func(*api.Impact) {}, `
impact on recent evaluations: answered by 40 of 40 sidecars (of 212), about the last 58 min
  flag f: of about 48,210 recent evaluations in 31 services 12.4 % change from off to on; 0 errors; from 3012 samples`},
		"all, and some fail": {func(i *api.Impact) { i.Sidecars, i.Flags = 40, []api.ImpactFlag{few} }, `
impact on recent evaluations: answered by 40 of 40 sidecars, about the last 58 min
  flag f: of 100 recent evaluations in 31 services none or few change; few errors`},
		"several flags": {func(i *api.Impact) {
			i.Sidecars, i.Flags = 40, []api.ImpactFlag{few, {Key: "g", TooFew: 12}, {Key: "h"}}
		}, `
impact on recent evaluations: answered by 40 of 40 sidecars in 31 services, about the last 58 min
  flag f: of 100 recent evaluations none or few change; few errors
  flag g: 12 recent evaluations, too few to tell
  flag h: no recent evaluations`},
		"some have not answered": {func(i *api.Impact) {
			i.Answered, i.Sidecars, i.Refused, i.Unanswered = 36, 40, map[string]int{"busy": 1, "clock": 2}, []string{"", "cart"}
			i.Clocks = []api.ImpactClock{{Name: "shop-2", Namespace: "shop", AheadSeconds: 90}, {Name: "shop-3", AheadSeconds: -7200}}
		}, `
impact on recent evaluations: answered by 36 of 40 sidecars, about the last 58 min
  flag f: of about 48,210 recent evaluations in 31 services 12.4 % change from off to on; 0 errors; from 3012 samples
  1 sidecar has no counts: asked too often within a minute, try again later
  2 sidecars have no counts: their clock and that of the publisher differ by more than a minute
  1 sidecar has not answered in time; those of older versions and with --preview=false do not answer
  the clock of shop-2 in shop is 90 s ahead of that of the publisher: set the one that is wrong
  the clock of shop-3 is 120 min behind that of the publisher: set the one that is wrong
  not known: what evaluations of applications without a name, cart would get`},
		"none has": {func(i *api.Impact) {
			*i = api.Impact{Asked: 3, Sidecars: 3, Refused: map[string]int{"invalid": 2}, Unanswered: []string{"shop"}}
		}, `
impact on recent evaluations: not known: no sidecar has counts, of 3 that were asked
  2 sidecars have no counts: they cannot compile the change, look at their versions
  1 sidecar has not answered in time; those of older versions and with --preview=false do not answer`},
		"none is there": {func(i *api.Impact) { *i = api.Impact{Missing: "no sidecar reports"} }, `
impact on recent evaluations: not known: no sidecar reports`},
	} {
		i := base
		test.change(&i)
		if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), strings.Join(impactLines(&i), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if lines := impactLines(nil); len(lines) != 0 {
		t.Errorf("not asked for: %q", lines)
	}
}
