package sending_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	"github.com/flagside/flagside/internal/sidecar/usage/sending"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// publishers take reports as a stream does, and remember each once.
type publishers struct {
	mu      sync.Mutex // guards what follows
	reports map[string]usage.Report
	again   int // reports that came more than once
	down    bool
	deaf    bool // a report is taken and that is not acknowledged

	onSend func() // called for each; nil is nothing
}

var errDown = errors.New("nothing answers")

func (p *publishers) send(_ context.Context, boot string, n uint64, data []byte) error {
	if p.onSend != nil {
		p.onSend()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return errDown
	}
	r, err := usage.Decode(data)
	if err != nil {
		return err
	}
	id := usage.ID(boot, n)
	if _, known := p.reports[id]; known {
		p.again++
	}
	p.reports[id] = r
	if p.deaf {
		return context.DeadlineExceeded
	}
	return nil
}

// set makes publishers unreachable, or their acknowledgements get lost.
func (p *publishers) set(down, deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.deaf = down, deaf
}

// came returns the reports.
func (p *publishers) came() []usage.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.reports))
}

// sums returns how many evaluations came, and how many are said to be lost.
func (p *publishers) sums() (evaluations, lost uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.reports {
		evaluations += r.Sum()
		lost += r.Lost.Evaluations
	}
	return evaluations, lost
}

// world is a sidecar that counts, and publishers.
type world struct {
	*publishers

	counts *counting.Counts
	events *events.Recorder
	result eval.Result
	dir    string
	epoch  atomic.Pointer[string]
	alone  map[string]int // clients that evaluate by themselves
	log    lines
}

// lines are those of a log.
type lines struct {
	mu  sync.Mutex // guards all
	all []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// with returns how many lines have a text.
func (l *lines) with(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	r, problems := eval.New().Update([]document.Document{{
		Kind: document.KindFlag, Key: "f", Revision: 3, Body: []byte(`{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`),
	}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	w := &world{
		publishers: &publishers{reports: make(map[string]usage.Report)}, counts: counting.New(""), result: r.Flag("f").Evaluate(nil, time.Now()), dir: dir,
	}
	w.epoch.Store(new(string))
	return w
}

// start runs a sender until stop is called.
func (w *world) start(t *testing.T) (stop func()) {
	t.Helper()
	s, err := sending.New(sending.Options{
		Counts: w.counts, Events: w.events, Boot: status.NewBoot(), Fill: func(r *usage.Report) { r.Pod, r.Unknown = "shop-1", w.alone }, Send: w.send, Dir: w.dir, Metrics: prometheus.NewRegistry(),
		Epoch: func() string { return *w.epoch.Load() }, Logger: zerolog.New(&w.log),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (w *world) evaluate(times int) {
	for range times {
		w.counts.Evaluation(&w.result, counting.OutcomeOf(&w.result), 0)
	}
}

func (w *world) want(t *testing.T, counted int) {
	t.Helper()
	if got, lost := w.sums(); got+lost != uint64(counted) {
		t.Errorf("%d evaluations in reports and %d lost, %d were counted", got, lost, counted)
	}
}

func TestUsageIsReportedOnceAMinuteAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		stop := w.start(t)
		w.evaluate(10)
		time.Sleep(2 * time.Minute)
		if len(w.came()) != 1 {
			t.Errorf("%d reports of one minute with evaluations and one without", len(w.came()))
		}
		w.want(t, 10)
		w.evaluate(5)
		stop()
		w.want(t, 15)
		for _, r := range w.came() {
			if r.Pod != "shop-1" || len(r.Flags) != 1 || r.Flags[0].Key != "f" || r.Flags[0].Revision != 3 || r.Flags[0].Counts[0].Variant != "on" {
				t.Errorf("%+v", r)
			}
		}
	})
}

// An hour without publishers, and acknowledgements that do not arrive: every evaluation is reported, and in memory only as many as there is room for.
func TestAnOutage(t *testing.T) {
	for _, onDisk := range []bool{true, false} {
		t.Run(fmt.Sprint("on disk ", onDisk), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := ""
				if onDisk {
					dir = t.TempDir()
				}
				w := newWorld(t, dir)
				w.set(true, false)
				stop := w.start(t)
				for range 60 {
					w.evaluate(1000)
					time.Sleep(time.Minute)
				}
				if len(w.came()) != 0 {
					t.Fatal("reports arrived while nothing answered")
				}
				w.set(false, true)
				time.Sleep(5 * time.Minute)
				w.set(false, false)
				time.Sleep(5 * time.Minute)
				w.want(t, 60_000)
				if _, lost := w.sums(); lost != 0 {
					t.Errorf("%d evaluations lost", lost)
				}
				if w.again == 0 {
					t.Error("no report was sent again")
				}
				stop()
				if left := files(t, dir); len(left) != 0 {
					t.Errorf("%v is left", left)
				}
			})
		})
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	if dir == "" {
		return nil
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What a process could not send, the next one does, before its own.
func TestReportsOutliveAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		w.set(true, false)
		for range 3 {
			stop := w.start(t)
			w.evaluate(100)
			time.Sleep(3 * time.Minute)
			w.evaluate(11)
			stop()
		}
		if n := len(files(t, w.dir)); n != 6 {
			t.Errorf("%d files, want 6", n)
		}
		w.set(false, false)
		stop := w.start(t)
		time.Sleep(time.Minute)
		w.want(t, 333)
		stop()
	})
}

// Files that are damaged, half written, or no reports at all do no harm, and what is lost is told.
func TestDamagedFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir())
		w.set(true, false)
		stop := w.start(t)
		for range 4 {
			w.evaluate(100)
			time.Sleep(2 * time.Minute)
		}
		stop()
		all := files(t, w.dir)
		if len(all) != 4 {
			t.Fatalf("%v", all)
		}
		write := func(path, content string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(all[0], `{"v":1,"boo`)
		write(all[1], "")
		write(filepath.Join(w.dir, ".half-123"), "x")
		w.set(false, false)
		stop = w.start(t)
		time.Sleep(2 * time.Minute)
		stop()
		evaluations, _ := w.sums()
		var lost uint64
		for _, r := range w.came() {
			lost += r.Lost.Reports
		}
		if evaluations != 200 || lost != 2 {
			t.Errorf("%d evaluations, %d reports lost", evaluations, lost)
		}
		if left := files(t, w.dir); len(left) != 0 {
			t.Errorf("%v is left", left)
		}
	})
}

// More than there is room for: the oldest reports are dropped, and reported as lost.
func TestTooMuchForTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		w.set(true, false)
		stop := w.start(t)
		counted := 0
		for range 120 {
			for i := range 200 { // 200 keys of 250 bytes make a report of 50 KB
				w.counts.NotFound(fmt.Appendf(nil, "%0250d", i))
			}
			w.evaluate(100)
			counted += 100
			time.Sleep(72 * time.Second)
		}
		w.set(false, false)
		time.Sleep(5 * time.Minute)
		stop()
		w.want(t, counted)
		evaluations, lost := w.sums()
		if lost == 0 || evaluations == 0 {
			t.Errorf("%d evaluations, %d lost", evaluations, lost)
		}
	})
}

// At the end everything is tried once more, also when attempts failed a moment ago, and that publishers answer again is not known.
func TestTheLastCountsAreTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		w.set(true, false)
		stop := w.start(t)
		for range 20 { // until there are long pauses between attempts
			w.evaluate(10)
			time.Sleep(time.Minute)
		}
		w.set(false, false)
		w.evaluate(7)
		stop()
		w.want(t, 207)
		if _, lost := w.sums(); lost != 0 {
			t.Errorf("%d evaluations lost", lost)
		}
	})
}

// That reports cannot be sent is logged at once, and then seldom; that they can be again, as often.
func TestFailuresAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const failed, again = "usage not reported", "usage is reported again"
		w := newWorld(t, "")
		stop := w.start(t)
		w.evaluate(1)
		time.Sleep(2 * time.Minute)
		w.set(true, false)
		w.evaluate(1)
		time.Sleep(2 * time.Minute)
		if n, text := w.log.with(failed), w.log.with(errDown.Error()); n != 1 || text != 1 {
			t.Errorf("%d failures logged, %d with the reason", n, text)
		}
		time.Sleep(time.Hour)
		if n := w.log.with(failed); n < 2 || n > 7 {
			t.Errorf("%d failures logged in an hour", n)
		}
		if n := w.log.with(again); n != 0 {
			t.Errorf("logged %d times that usage is reported again", n)
		}
		w.set(false, false)
		time.Sleep(5 * time.Minute)
		if n := w.log.with(again); n != 1 {
			t.Errorf("logged %d times that usage is reported again", n)
		}
		before := w.log.with("")
		for range 60 { // it comes and goes
			w.set(true, false)
			w.evaluate(1)
			time.Sleep(time.Minute)
			w.set(false, false)
			time.Sleep(time.Minute)
		}
		if n := w.log.with("") - before; n > 2*13 {
			t.Errorf("%d lines in two hours", n)
		}
		stop()
	})
}

// Counts are of the epoch in which they were made, also if another begins before they are reported.
func TestCountsHaveTheEpochOfTheirRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		stop := w.start(t)
		w.evaluate(1) // before any is known
		for i, epoch := range []string{"first", "second"} {
			w.epoch.Store(&epoch)
			time.Sleep(2 * time.Second)
			w.evaluate(10 * (i + 1))
		}
		time.Sleep(2 * time.Minute)
		stop()
		got := make(map[string]uint64)
		for _, r := range w.came() {
			got[r.Epoch] += r.Sum()
		}
		if want := map[string]uint64{"first": 11, "second": 20}; !maps.Equal(want, got) {
			t.Errorf("evaluations by epoch: %v, want %v", got, want)
		}
	})
}

// A disk that takes nothing loses nothing while the process is there: each report is sent once, and what became of it is logged.
func TestADiskThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, filepath.Join(t.TempDir(), "usage"))
		w.set(true, false)
		stop := w.start(t)
		time.Sleep(time.Second)
		if err := os.RemoveAll(w.dir); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			w.evaluate(100)
			time.Sleep(2 * time.Minute)
		}
		w.set(false, false)
		time.Sleep(5 * time.Minute)
		stop()
		if evaluations, lost := w.sums(); evaluations != 500 || lost != 0 || w.again != 0 || len(w.came()) != 5 {
			t.Errorf("%d evaluations, %d lost, %d reports, %d again", evaluations, lost, len(w.came()), w.again)
		}
		if n := w.log.with("kept in memory only"); n != 5 {
			t.Errorf("%d reports are said to be kept in memory", n)
		}
	})
}
