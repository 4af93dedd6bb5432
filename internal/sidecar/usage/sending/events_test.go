package sending_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	"github.com/flagside/flagside/sync/usage"
)

// eventWorld is a world with a flag that asks for exposures.
type eventWorld struct {
	*world

	exposed eval.Result

	mu                 sync.Mutex // guards what follows: a test makes events happen while others are sent
	subjects           int        // that were exposed so far
	exposures          int
	outcomes, rejected int
}

func newEventWorld(t *testing.T, dir string) *eventWorld {
	t.Helper()
	w := &eventWorld{world: newWorld(t, dir)}
	file := filepath.Join(t.TempDir(), "exposure.key")
	if err := os.WriteFile(file, exposurekey.New().Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	w.events, err = events.New(events.Options{
		Environment: "prod", Share: 1, Rate: 100_000, Applications: w.counts.ApplicationName, KeyFile: file, Metrics: prometheus.NewRegistry(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	r, problems := eval.New().Update([]document.Document{{
		Kind: document.KindFlag, Key: "asks", Revision: 4, Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","exposures":true}`),
	}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	w.exposed = r.Flag("asks").Evaluate(nil, time.Now())
	return w
}

// happen exposes so many new subjects, and tells an outcome of each.
func (w *eventWorld) happen(t *testing.T, times int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for range times {
		w.subjects++
		w.exposures++
		w.events.Exposed(&w.exposed, fmt.Sprint("user-", w.subjects), 0, time.Now())
		_, err := w.events.Tell([]events.Event{{Event: "bought", TargetingKey: fmt.Sprint("user-", w.subjects)}}, nil, 0, time.Now())
		switch {
		case err == nil:
			w.outcomes++
		case errors.Is(err, events.ErrFull): // which is told as lost
			w.outcomes++
			w.rejected++
		default:
			t.Fatal(err)
		}
	}
}

// wantEvents wants everything that happened to be in reports or lost, and returns how much is lost.
func (w *eventWorld) wantEvents(t *testing.T) (lost usage.Lost) {
	t.Helper()
	exposed, told := map[string]int{}, map[string]int{}
	for _, r := range w.came() {
		lost.Exposures += r.Lost.Exposures
		lost.Outcomes += r.Lost.Outcomes
		lost.Reports += r.Lost.Reports
		for _, e := range r.Exposures {
			exposed[e.Subject]++
		}
		for _, o := range r.Outcomes {
			told[o.Subject]++
		}
	}
	if len(exposed)+int(lost.Exposures) != w.exposures || len(told)+int(lost.Outcomes) != w.outcomes {
		t.Errorf("%d exposures and %d outcomes in reports, %+v lost, of %d and %d", len(exposed), len(told), lost, w.exposures, w.outcomes)
	}
	for _, subjects := range []map[string]int{exposed, told} {
		for subject, n := range subjects {
			if n != 1 {
				t.Fatalf("%s %d times", subject, n)
			}
		}
	}
	return lost
}

// TestEventsAreReported wants every event in one report, also many at once and those at the end.
func TestEventsAreReported(t *testing.T) {
	for _, onDisk := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			dir := ""
			if onDisk {
				dir = t.TempDir()
			}
			w := newEventWorld(t, dir)
			stop := w.start(t)
			w.happen(t, 10)
			w.evaluate(5)
			time.Sleep(2 * time.Minute)
			if n := len(w.came()); n > 2 {
				t.Errorf("%d reports of a few events", n)
			}
			for range 10 { // more in a minute than there is room for, as long as it is not in a second
				w.happen(t, 5000)
				time.Sleep(3 * time.Second)
			}
			// Up to manyEvents of before may wait for the next report, if a report was made while the last of them happened, and there is room for 10,000.
			w.happen(t, 6000)
			w.evaluate(5)
			stop()
			w.want(t, 10)
			if lost := w.wantEvents(t); lost != (usage.Lost{}) || w.rejected != 0 {
				t.Errorf("%+v lost, %d rejected", lost, w.rejected)
			}
			for _, r := range w.came() {
				if r.Pod != "shop-1" || len(r.Exposures) > 0 && (r.Exposures[0].Flag != "asks" || r.Exposures[0].Variant != "on" || r.Exposures[0].Revision != 4) {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// TestEveryReportTellsOfClients wants the newest report to tell of clients that evaluate by themselves, whatever it is about: publishers show how many
// there are by it.
func TestEveryReportTellsOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, "")
		w.alone = map[string]int{"flagd.sync": 2}
		stop := w.start(t)
		for range 5 {
			w.evaluate(1)
			w.happen(t, 5000) // which make several reports
			time.Sleep(time.Minute)
		}
		all := w.came()
		stop()
		for _, r := range all {
			if r.Unknown["flagd.sync"] != 2 {
				t.Errorf("report %d with %d evaluations and %d exposures tells of no clients", r.N, r.Sum(), len(r.Exposures))
			}
		}
		if len(all) < 10 {
			t.Errorf("only %d reports", len(all))
		}
	})
}

// TestEventsThatComeWhileOthersAreSent wants events that come with every report that is sent to wait for the next, and counts to be reported meanwhile.
func TestEventsThatComeWhileOthersAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, "")
		sent := 0
		w.onSend = func() {
			if sent++; sent < 1000 {
				w.happen(t, 1)
			}
		}
		stop := w.start(t)
		w.happen(t, 5000)
		w.evaluate(10)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if sent < 8 || sent > 60 {
			t.Errorf("%d reports in ten minutes", sent)
		}
		sent = 1000
		stop()
		w.want(t, 10)
		if lost := w.wantEvents(t); lost != (usage.Lost{}) {
			t.Errorf("%+v lost", lost)
		}
	})
}

// TestEventsNeverTakeThePlaceOfCounts wants counts of a long outage to be there after it, while more happened than there is room for, and what of that
// was not kept to be told as lost.
func TestEventsNeverTakeThePlaceOfCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: thousands of events, one after the other, which go test without it does")
	}
	for _, onDisk := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			dir := ""
			if onDisk {
				dir = t.TempDir()
			}
			w := newEventWorld(t, dir)
			w.set(true, false)
			stop := w.start(t)
			for range 30 {
				w.evaluate(100)
				w.happen(t, 4000)
				time.Sleep(time.Minute)
			}
			w.set(false, false)
			time.Sleep(5 * time.Minute)
			stop()
			if evaluations, lost := w.sums(); evaluations != 3000 || lost != 0 {
				t.Errorf("%d evaluations in reports, %d lost", evaluations, lost)
			}
			if lost := w.wantEvents(t); lost.Exposures == 0 || w.rejected == 0 || lost.Reports != 0 {
				t.Errorf("%+v lost, %d rejected", lost, w.rejected)
			}
		})
	}
}

// TestEventsOutliveAProcess wants what could not be sent in the reports of the next process, once.
func TestEventsOutliveAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, t.TempDir())
		w.set(true, false)
		for range 3 {
			stop := w.start(t)
			w.happen(t, 3000)
			stop()
		}
		w.set(false, true) // acknowledgements are lost
		stop := w.start(t)
		time.Sleep(3 * time.Minute)
		w.set(false, false)
		time.Sleep(3 * time.Minute)
		stop()
		if lost := w.wantEvents(t); lost != (usage.Lost{}) || w.again == 0 {
			t.Errorf("%+v lost, %d reports came again", lost, w.again)
		}
	})
}

// TestEventsHaveTheirEpoch wants the epoch in which something happened, and exposures again in another.
func TestEventsHaveTheirEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, "")
		w.epoch.Store(new("first"))
		stop := w.start(t)
		time.Sleep(2 * time.Second)
		w.happen(t, 6000)
		w.epoch.Store(new("second"))
		time.Sleep(2 * time.Second)
		w.events.Exposed(&w.exposed, "user-1", 0, time.Now())
		stop()
		exposed := map[string]int{}
		for _, r := range w.came() {
			exposed[r.Epoch] += len(r.Exposures)
		}
		if exposed["first"] != 6000 || exposed["second"] != 1 {
			t.Errorf("%v", exposed)
		}
	})
}

// TestDamagedReportOfEvents wants a report of events that is dropped to be no report of counts that is missing.
func TestDamagedReportOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, t.TempDir())
		w.set(true, false)
		stop := w.start(t)
		w.happen(t, 50)
		time.Sleep(2 * time.Minute)
		for _, file := range files(t, w.dir) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		w.set(false, false)
		time.Sleep(3 * time.Minute)
		w.evaluate(1)
		time.Sleep(2 * time.Minute)
		stop()
		all, none := usage.Lost{Exposures: 50, Outcomes: 50}, usage.Lost{} // none if the report was under way when its file went
		if lost := w.wantEvents(t); lost != all && lost != none {
			t.Errorf("%+v", lost)
		}
	})
}

// TestDroppedReportsOfMoreThanEvents wants every report that is dropped and told of more than events to be told as lost, also one without evaluations.
func TestDroppedReportsOfMoreThanEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, "")
		w.set(true, false)
		stop := w.start(t)
		const reports = 60
		for range reports {
			for i := range 200 { // a report of 50 KB
				w.counts.NotFound(fmt.Appendf(nil, "%0250d", i))
			}
			w.happen(t, 1)
			time.Sleep(72 * time.Second)
		}
		w.set(false, false)
		time.Sleep(5 * time.Minute)
		stop()
		counts, told := 0, uint64(0)
		for _, r := range w.came() {
			if len(r.NotFound) > 0 {
				counts++
			}
			told += r.Lost.Reports
		}
		if lost := w.wantEvents(t); lost.Exposures == 0 || lost.Outcomes == 0 {
			t.Errorf("%+v lost", lost)
		}
		if counts+int(told) != reports {
			t.Errorf("%d reports came and %d are said to be lost, of %d", counts, told, reports)
		}
	})
}

// TestLossesAtTheEndAreTold wants what has to be dropped when a process ends, for want of room, to be told by the next, and to be events as long as
// there are any.
func TestLossesAtTheEndAreTold(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills 16 MB and reads them many times")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t, t.TempDir())
		w.set(true, false)
		counted := 0
		for range 4 { // which fill the 16 MB
			stop := w.start(t)
			w.evaluate(10)
			counted += 10
			time.Sleep(2 * time.Minute)
			w.happen(t, 20_000)
			stop()
		}
		for range 14 { // which end at once, with a report of 50 KB each
			stop := w.start(t)
			time.Sleep(time.Second)
			for i := range 200 {
				w.counts.NotFound(fmt.Appendf(nil, "%0250d", i))
			}
			w.evaluate(10)
			counted += 10
			stop()
		}
		w.set(false, false)
		stop := w.start(t)
		time.Sleep(2 * time.Minute)
		stop()
		if evaluations, lost := w.sums(); evaluations != uint64(counted) || lost != 0 { // #nosec G115 -- a test
			t.Errorf("%d evaluations in reports, %d lost, of %d: events took the place of counts", evaluations, lost, counted)
		}
		if lost := w.wantEvents(t); lost.Exposures == 0 || lost.Outcomes == 0 || lost.Reports != 0 {
			t.Errorf("%+v lost", lost)
		}
	})
}

// TestLimitsOfEvents wants what is taken from applications to fit into reports.
func TestLimitsOfEvents(t *testing.T) {
	if events.MaxName != usage.MaxEvent || events.MaxFlags != usage.MaxOutcomeFlags {
		t.Error("the limits differ")
	}
}
