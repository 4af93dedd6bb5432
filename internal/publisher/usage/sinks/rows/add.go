package rows

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/usage"
)

// maxDelay is how far back a time may lie when it is received: as long as sidecars may keep reports.
const maxDelay = 72 * time.Hour

// The reason and the code of flags that do not exist.
const (
	reasonError  = "ERROR"
	codeNotFound = "FLAG_NOT_FOUND"
)

// Size returns how many rows a report has.
func Size(r *usage.Report) (n int) {
	for i := range r.Flags {
		n += len(r.Flags[i].Counts)
	}
	n += len(r.Other) + len(r.NotFound) + len(r.Exposures) + len(r.Outcomes)
	if r.NotFoundOthers > 0 {
		n++
	}
	return n
}

// Add adds the rows of a report to the tables of the series that are wanted. A report that was added before is left out.
func (t *Tables) Add(r *usage.Report, received time.Time, wanted []Series) {
	if t.seen[id{r.Boot, r.N}] {
		return
	}
	t.seen[id{r.Boot, r.N}] = true
	if slices.Contains(wanted, Counts) {
		t.addCounts(r, received)
	}
	if slices.Contains(wanted, Exposures) {
		t.addExposures(r, received)
	}
	if slices.Contains(wanted, Outcomes) {
		t.addOutcomes(r, received)
	}
}

func (t *Tables) addCounts(r *usage.Report, received time.Time) {
	to := placed(r.To, received)
	from := to - min(r.To.Sub(r.From), maxDelay).Milliseconds() // which is not negative
	add := func(flag string, revision uint64, c usage.Count) {
		t.Counts.add(to, Count{
			Time: to, Began: from, Received: received.UnixMilli(), Flag: flag, Revision: whole(revision), Epoch: r.Epoch, Variant: c.Variant,
			Reason: c.Reason, Code: c.Code, Rule: rule(c.Rule), Bulk: c.Bulk, Evaluations: whole(c.N), Origin: origin(r, c.Application),
		})
	}
	for i := range r.Flags {
		for _, c := range r.Flags[i].Counts {
			add(r.Flags[i].Key, r.Flags[i].Revision, c)
		}
	}
	for _, c := range r.Other {
		add("", 0, c)
	}
	for _, key := range slices.Sorted(maps.Keys(r.NotFound)) { // sorted, so that the same report makes the same bytes
		add(key, 0, usage.Count{Reason: reasonError, Code: codeNotFound, N: r.NotFound[key]})
	}
	if r.NotFoundOthers > 0 {
		add("", 0, usage.Count{Reason: reasonError, Code: codeNotFound, N: r.NotFoundOthers})
	}
}

func (t *Tables) addExposures(r *usage.Report, received time.Time) {
	for i := range r.Exposures {
		e := &r.Exposures[i]
		at := placed(e.At, received)
		t.Exposures.add(at, Exposure{
			Time: at, Received: received.UnixMilli(), Flag: e.Flag, Variant: e.Variant, Revision: whole(e.Revision), Epoch: r.Epoch, Rule: rule(e.Rule),
			Subject: e.Subject, Origin: origin(r, e.Application),
		})
	}
}

func (t *Tables) addOutcomes(r *usage.Report, received time.Time) {
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		at := placed(o.At, received)
		t.Outcomes.add(at, Outcome{
			Time: at, Received: received.UnixMilli(), Event: o.Event, Subject: o.Subject, Value: o.Value, Error: o.Error, Flags: o.Flags,
			Origin: origin(r, o.Application),
		})
	}
}

// origin returns where a row comes from. What another application than that of the report did is not known by version.
func origin(r *usage.Report, application string) Origin {
	o := Origin{Boot: r.Boot, Number: whole(r.N), Application: cmp.Or(application, r.Application), Namespace: r.Namespace, Pod: r.Pod}
	if o.Application == r.Application {
		o.Release = r.Release
	}
	return o
}

// placed returns a time that a sidecar tells, moved to when it can have been.
func placed(at, received time.Time) int64 {
	if earliest := received.Add(-maxDelay); at.Before(earliest) {
		at = earliest
	}
	if at.After(received) {
		at = received
	}
	return at.UnixMilli()
}

// whole returns a number as tables have it. What is larger was made up.
func whole(n uint64) int64 { return int64(min(n, math.MaxInt64)) } // #nosec G115 -- it is not larger

func rule(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) } // #nosec G115 -- likewise
