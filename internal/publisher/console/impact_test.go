package console_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/api"
)

// What people read of an impact preview says how much it is known from, what is not known and why, and never that nothing changes where nothing was told.
func TestImpactIsRead(t *testing.T) {
	t.Parallel()
	p := reader(t)
	half := api.ImpactFlag{Key: "f", Evaluations: 48_210, Samples: 3012, Changed: 6078, Changes: []api.ImpactChange{{From: "off", To: "on", N: 5978}}}
	for name, c := range map[string]struct {
		impact api.Impact
		want   []string
	}{
		"a sample": {
			api.Impact{Answered: 40, Asked: 40, Sidecars: 212, SinceSeconds: 3480, Applications: []string{"cart", "shop"}, Flags: []api.ImpactFlag{half}},
			[]string{
				"As 40 of 40 sidecars (of 212) in 2 services say of about the last 58 min:",
				"f: of about 48,210 recent evaluations 12.4 % change from off to on, 0.2 % otherwise; 0 errors; from 3,012 samples.",
			},
		},
		"some have not answered": {
			api.Impact{
				Answered: 1, Asked: 4, Sidecars: 4, SinceSeconds: 30, Refused: map[string]int{"clock": 1, "busy": 1}, Unanswered: []string{""}, InProcess: 2,
				Clocks: []api.ImpactClock{{Name: "shop-2", Namespace: "shop", AheadSeconds: -90}},
				Flags:  []api.ImpactFlag{{Key: "f", Evaluations: 100, Samples: 100, Fails: true}, {Key: "g", TooFew: 12}, {Key: "h"}},
			},
			[]string{
				"As 1 of 4 sidecars say of about the last 30 s:", "f: of about 100 recent evaluations none or few change; few errors; from 100 samples.",
				"g: about 12 recent evaluations, too few to tell.", "h: no recent evaluations.", "1 sidecar without counts: asked too often within a minute.",
				"1 sidecar without counts: their clock and that of the publisher differ by more than a minute.",
				"1 sidecar without an answer in time: those of older versions and with --preview=false do not answer.",
				"The clock of shop-2 in shop is 90 s behind that of the publisher: set the one that is wrong.",
				"Not known: what evaluations of applications without a name would get.", "Not in it: 2 clients that evaluate by themselves.",
			},
		},
		"none has":      {api.Impact{Asked: 2, Sidecars: 2, Refused: map[string]int{"behind": 2}}, []string{"Not known: no sidecar has counts, of 2 that were asked.", "2 sidecars without counts: they do not serve the newest revision yet."}},
		"none is there": {api.Impact{Missing: "no sidecar reports"}, []string{"Not known: no sidecar reports."}},
	} {
		if c.impact.Applications == nil {
			c.impact.Applications = []string{}
		}
		if c.impact.Flags == nil {
			c.impact.Flags = []api.ImpactFlag{}
		}
		data, err := json.Marshal(c.impact, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		got := evaluate[[]string](p, `(() => { const t = reading.told(JSON.parse(`+quoted(t, string(data))+`)); return [t.headline, ...t.lines]; })()`)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
