package publisher

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/usage"
	"github.com/flagside/flagside/internal/publisher/usage/folding"
	report "github.com/flagside/flagside/sync/usage"
)

// One use makes a flag used. That it is unused is known only if nothing can have been missed.
func TestUseIsConcludedWithCare(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	whole := folding.Known{Read: true, Place: usage.Place{Since: ago(30)}, FoldedUntil: now}
	asked := func(application string, at time.Time) folding.Use {
		return folding.Use{Use: usage.Use{Flag: "f", Application: application}, Asked: at}
	}
	for name, test := range map[string]struct {
		change func(*folding.Known)
		uses   []folding.Use
		want   risk.Use
	}{
		"unused":               {nil, nil, risk.Use{Known: true}},
		"used":                 {nil, []folding.Use{asked("shop", ago(1)), asked("cart", ago(6)), asked("old", ago(8)), asked("shop", ago(2))}, risk.Use{Known: true, InUse: true, By: []string{"cart", "shop"}}},
		"used long ago":        {nil, []folding.Use{asked("shop", ago(8))}, risk.Use{Known: true}},
		"used, without a name": {nil, []folding.Use{asked("", ago(1))}, risk.Use{Known: true, InUse: true}},
		"among all flags":      {nil, []folding.Use{{Bulk: ago(1)}}, risk.Use{}},
		"not read":             {func(k *folding.Known) { k.Read = false }, nil, risk.Use{}},
		"no reports":           {func(k *folding.Known) { k.Place.Since = time.Time{} }, nil, risk.Use{}},
		"new counts":           {func(k *folding.Known) { k.Place.Since = ago(6) }, nil, risk.Use{}},
		"old counts":           {func(k *folding.Known) { k.FoldedUntil = now.Add(-time.Hour) }, nil, risk.Use{}},
		"used, by old counts":  {func(k *folding.Known) { k.FoldedUntil = now.Add(-time.Hour) }, []folding.Use{asked("shop", ago(1))}, risk.Use{Known: true, InUse: true, By: []string{"shop"}}},
		"lost": {func(k *folding.Known) {
			k.Place.Lost, k.Place.LostAt = report.Lost{Reports: 1}, ago(1)
		}, nil, risk.Use{}},
		"lost long ago":    {func(k *folding.Known) { k.Place.LostAt = ago(8) }, nil, risk.Use{Known: true}},
		"missed":           {func(k *folding.Known) { k.Place.MissedAt = ago(1) }, nil, risk.Use{}},
		"malformed":        {func(k *folding.Known) { k.Place.MalformedAt = ago(1) }, nil, risk.Use{}},
		"kept answers":     {func(k *folding.Known) { k.Place.UnchangedAt = ago(1) }, nil, risk.Use{}},
		"kept long ago":    {func(k *folding.Known) { k.Place.UnchangedAt = ago(8) }, nil, risk.Use{Known: true}},
		"clients":          {func(k *folding.Known) { k.ClientsSeen = map[string]time.Time{"shop": ago(1)} }, nil, risk.Use{}},
		"clients long ago": {func(k *folding.Known) { k.ClientsSeen = map[string]time.Time{"shop": ago(9)} }, nil, risk.Use{Known: true}},
	} {
		k := whole
		k.Uses = map[string][]folding.Use{"f": test.uses}
		if test.change != nil {
			test.change(&k)
		}
		if diff := cmp.Diff(test.want, useOf(&k, "f", now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
