package events_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// TestRate lets an application tell of ever new subjects, flags and names for a day. An hour's share is taken at once and the share of every minute
// after it, and every other event is counted as lost.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate, aMinute, minutes = 100, 500, 24 * 60
		metrics := prometheus.NewRegistry()
		r := recorder(t, func(o *events.Options) { o.Rate, o.Metrics = rate, metrics })
		rules := ruleset(t, 1)
		result := rules.Flag("a").Evaluate(new(eval.Context), time.Now())
		var exposures, outcomes, refused, subjects int
		var lost events.Lost
		for range minutes {
			for range aMinute {
				subjects++
				r.Exposed(&result, fmt.Sprint("user-", subjects), 0, time.Now())
				_, err := r.Tell([]events.Event{{Event: fmt.Sprint("event-", subjects)}}, rules, 0, time.Now())
				if errors.Is(err, events.ErrRate) {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			e, o := r.Collect(everything)
			exposures, outcomes = exposures+len(e), outcomes+len(o)
			more := r.TakeLost()
			lost.Exposures, lost.Outcomes = lost.Exposures+more.Exposures, lost.Outcomes+more.Outcomes
			time.Sleep(time.Minute)
		}
		const most = rate * (60 + minutes)
		if exposures > most || exposures < most-2*rate || outcomes > most || outcomes < most-2*rate {
			t.Errorf("%d exposures and %d outcomes, want about %d", exposures, outcomes, most)
		}
		if exposures+int(lost.Exposures) != subjects || outcomes+int(lost.Outcomes) != subjects || refused != int(lost.Outcomes) {
			t.Errorf("%d exposures, %d outcomes, %d refused, %+v lost of %d", exposures, outcomes, refused, lost, subjects)
		}
		if n := counter(t, metrics, "flagside_usage_exposures_dropped_total", "rate"); int(n) != int(lost.Exposures) {
			t.Errorf("%v are counted as dropped, %+v lost", n, lost)
		}
		time.Sleep(time.Hour)
		r.Exposed(&result, fmt.Sprint("user-", subjects), 0, time.Now())
		if e, _ := r.Collect(everything); len(e) != 1 {
			t.Error("a subject that was dropped is not told when there is room again")
		}
	})
}

// TestRateCountsBytes wants outcomes with long names to use up the share faster, and the largest request to be taken at the smallest rate.
func TestRateCountsBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, func(o *events.Options) { o.Rate = 1 })
		large := []events.Event{{Event: "e", Flags: strings.Split(strings.Repeat(strings.Repeat("k", 1000)+" ", 50)[:50*1001-1], " ")}}
		if n, err := r.Tell(large, nil, 0, time.Now()); n != 1 || err != nil {
			t.Error("the largest is not taken:", n, err)
		}
		r.Collect(everything)
		taken := 0
		for range 100 {
			if _, err := r.Tell(large, nil, 0, time.Now()); err == nil {
				taken++
			}
			time.Sleep(time.Minute)
			r.Collect(everything)
		}
		if taken < 1 || taken > 2 {
			t.Errorf("%d of 50 KB each in 100 minutes at 1 a minute", taken)
		}
	})
}
