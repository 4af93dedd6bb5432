package sending

import (
	"cmp"
	"maps"
	"slices"
	"time"

	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/sync/usage"
)

// newReport returns what was counted in some time. Series are in order, so that equal counts have equal bytes. If the clock of the machine was set back
// meanwhile, the counts are of the moment of their end.
func newReport(c counting.Collected, from, to time.Time) usage.Report {
	from, to = from.UTC(), to.UTC() // which are of the clock that can be set
	if to.Before(from) {
		from = to
	}
	r := usage.Report{From: from, To: to, NotFound: c.NotFound, NotFoundOthers: c.NotFoundOthers, Unchanged: c.Unchanged}
	for _, series := range slices.SortedFunc(maps.Keys(c.Evaluations), compare) {
		count := usage.Count{
			Variant: series.Variant, Reason: string(series.Reason), Code: string(series.Code), Rule: series.Rule,
			Application: series.Application, Bulk: series.Bulk, N: c.Evaluations[series],
		}
		if series.Flag == "" {
			r.Other = append(r.Other, count)
			continue
		}
		if n := len(r.Flags); n == 0 || r.Flags[n-1].Key != series.Flag || r.Flags[n-1].Revision != series.Revision {
			r.Flags = append(r.Flags, usage.Flag{Key: series.Flag, Revision: series.Revision})
		}
		last := &r.Flags[len(r.Flags)-1]
		last.Counts = append(last.Counts, count)
	}
	return r
}

func compare(a, b counting.Series) int {
	return cmp.Or(
		cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.Code, b.Code), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Application, b.Application), compareBool(a.Bulk, b.Bulk),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
