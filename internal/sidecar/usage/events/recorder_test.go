package events_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/logtest"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
)

// everything is more bytes than a recorder has.
const everything = math.MaxInt

// ruleset returns the flags a and b, which ask for exposures and split by beta, and plain, which does not ask.
func ruleset(tb testing.TB, revision uint64) *eval.Ruleset {
	tb.Helper()
	var documents []document.Document
	for key, more := range map[string]string{"a": `,"exposures":true`, "b": `,"exposures":true`, "plain": ""} {
		documents = append(documents, document.Document{
			Kind: document.KindFlag, Key: key, Revision: revision,
			Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"var":"beta"},"on"]}` + more + `}`),
		})
	}
	r, problems := eval.New().Update(documents)
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return r
}

// keyFile writes a file with a key.
func keyFile(tb testing.TB, key exposurekey.Key) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "exposure.key")
	if err := os.WriteFile(path, key.Text(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// recorder returns one with a key, unless adjust takes it away.
func recorder(tb testing.TB, adjust func(*events.Options)) *events.Recorder {
	tb.Helper()
	o := events.Options{
		Environment: "prod", Share: 1, Applications: counting.New("").ApplicationName, KeyFile: keyFile(tb, exposurekey.New()),
		Metrics: prometheus.NewRegistry(), Logger: zerolog.Nop(),
	}
	if adjust != nil {
		adjust(&o)
	}
	r, err := events.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// expose evaluates a flag for a subject as a face does.
func expose(tb testing.TB, r *events.Recorder, rules *eval.Ruleset, flag, subject, beta string) {
	tb.Helper()
	var c eval.Context
	if err := rules.DecodeContext(&c, fmt.Appendf(nil, `{"targetingKey":%q,"beta":%s}`, subject, beta)); err != nil {
		tb.Fatal(err)
	}
	f := rules.Flag(flag)
	result := f.Evaluate(&c, time.Now())
	r.Exposed(&result, f.Subject(&c), 0, time.Now())
}

// TestExposures wants what is told of an exposure, once.
func TestExposures(t *testing.T) {
	t.Parallel()
	key := exposurekey.New()
	r := recorder(t, func(o *events.Options) { o.KeyFile = keyFile(t, key) })
	rules := ruleset(t, 7)
	for range 3 {
		expose(t, r, rules, "a", "user-1", "true")
		expose(t, r, rules, "a", "", "true")
		expose(t, r, rules, "plain", "user-1", "true")
	}
	expose(t, r, rules, "b", "user-1", "false")
	expose(t, r, rules, "a", "user-2", "false")
	all, outcomes := r.Collect(everything)
	if len(all) != 3 || len(outcomes) != 0 {
		t.Fatalf("%+v %+v", all, outcomes)
	}
	want := fmt.Sprintf("%x", key.Hasher("prod").Subject("user-1"))
	if e := all[0]; e.Flag != "a" || e.Variant != "on" || e.Revision != 7 || e.Rule != 1 || e.Subject != want || e.At.IsZero() {
		t.Errorf("%+v", e)
	}
	if e := all[1]; e.Flag != "b" || e.Variant != "off" || e.Rule != 2 && e.Rule != 0 || e.Subject != want {
		t.Errorf("%+v", e)
	}
	if all[2].Subject == want {
		t.Error("two users have one subject")
	}
	if again, _ := r.Collect(everything); len(again) != 0 || r.Waiting() != 0 {
		t.Errorf("%+v", again)
	}
}

// TestExposuresAreToldOnceADay wants one for each subject, flag, variant and revision in 24 hours.
func TestExposuresAreToldOnceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, nil)
		seven, eight := ruleset(t, 7), ruleset(t, 8)
		told := func(when string, want int) {
			t.Helper()
			if all, _ := r.Collect(everything); len(all) != want {
				t.Errorf("%s: %d exposures, want %d", when, len(all), want)
			}
		}
		expose(t, r, seven, "a", "u", "true")
		told("at first", 1)
		for range 23 {
			time.Sleep(time.Hour)
			expose(t, r, seven, "a", "u", "true")
		}
		told("within a day", 0)
		expose(t, r, seven, "a", "u", "false")
		told("another variant", 1)
		expose(t, r, eight, "a", "u", "false")
		told("another revision", 1)
		expose(t, r, eight, "b", "u", "false")
		told("another flag", 1)
		expose(t, r, eight, "a", "v", "false")
		told("another subject", 1)
		time.Sleep(24*time.Hour - time.Second)
		expose(t, r, eight, "a", "u", "false")
		told("just within a day", 0)
		time.Sleep(time.Second)
		expose(t, r, eight, "a", "u", "false")
		told("after a day", 1)
		r.Forget()
		expose(t, r, eight, "a", "u", "false")
		told("in another epoch", 1)
	})
}

// TestExposuresWithoutRoom wants exposures beyond the room to be counted as lost, and told once there is room again.
func TestExposuresWithoutRoom(t *testing.T) {
	t.Parallel()
	r := recorder(t, nil)
	rules := ruleset(t, 1)
	var c eval.Context
	result := rules.Flag("a").Evaluate(&c, time.Now())
	for i := range events.MaxExposures + 5 {
		r.Exposed(&result, fmt.Sprint("user-", i), 0, time.Now())
	}
	if lost := r.TakeLost(); lost != (events.Lost{Exposures: 5}) {
		t.Errorf("%+v", lost)
	}
	seen := map[string]bool{}
	for r.Waiting() > 0 {
		all, _ := r.Collect(100_000)
		if len(all) == 0 || len(all) > 1000 {
			t.Fatalf("%d at once", len(all))
		}
		for _, e := range all {
			seen[e.Subject] = true
		}
	}
	if len(seen) != events.MaxExposures {
		t.Errorf("%d subjects", len(seen))
	}
	for i := range 5 { // of which the first were remembered and the last could not be kept
		r.Exposed(&result, fmt.Sprint("user-", i), 0, time.Now())
		r.Exposed(&result, fmt.Sprint("user-", events.MaxExposures+i), 0, time.Now())
	}
	if all, _ := r.Collect(everything); len(all) != 5 {
		t.Errorf("%d exposures", len(all))
	}
	if lost := r.TakeLost(); lost != (events.Lost{}) {
		t.Errorf("%+v", lost)
	}
}

// TestWithoutKey wants no exposures, outcomes without a subject, and one line that says so without the subject.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	var logs logtest.Log
	metrics := prometheus.NewRegistry()
	r := recorder(t, func(o *events.Options) { o.KeyFile, o.Logger, o.Metrics = "", zerolog.New(&logs), metrics })
	rules := ruleset(t, 1)
	expose(t, r, rules, "plain", "user-1", "true")
	if logs.String() != "" {
		t.Error(logs.String())
	}
	for range 3 {
		expose(t, r, rules, "a", "user-1", "true")
	}
	if accepted, err := r.Tell([]events.Event{{Event: "e", TargetingKey: "user-1"}}, rules, 0, time.Now()); accepted != 1 || err != nil {
		t.Error(accepted, err)
	}
	all, outcomes := r.Collect(everything)
	if len(all) != 0 || len(outcomes) != 1 || outcomes[0].Subject != "" {
		t.Errorf("%+v %+v", all, outcomes)
	}
	if text := logs.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "--exposure-key-file") || strings.Contains(text, "user-1") {
		t.Error(text)
	}
	if n := counter(t, metrics, "flagside_usage_exposures_dropped_total", "no_key"); n != 3 {
		t.Errorf("%v dropped for want of a key", n)
	}
}

// counter returns the value of a counter with a label.
func counter(t *testing.T, metrics prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no %s of %s", name, label)
	return 0
}

// TestShare wants the same subjects for all flags, sidecars and processes with one key, about as many as the share says, and others with another key.
func TestShare(t *testing.T) {
	t.Parallel()
	const subjects, share = 10_000, 0.2
	file := keyFile(t, exposurekey.New())
	rules := ruleset(t, 1)
	chosen := func(file, flag string) []string {
		r := recorder(t, func(o *events.Options) { o.Share, o.KeyFile = share, file })
		var c eval.Context
		result := rules.Flag(flag).Evaluate(&c, time.Now())
		for i := range subjects {
			r.Exposed(&result, fmt.Sprint("user-", i), 0, time.Now())
		}
		all, _ := r.Collect(everything)
		var names []string
		for _, e := range all {
			names = append(names, e.Subject)
		}
		return names
	}
	first := chosen(file, "a")
	if !slices.Equal(first, chosen(file, "b")) {
		t.Error("another flag or process has other subjects")
	}
	if n, deviation := float64(len(first)), math.Sqrt(subjects*share*(1-share)); math.Abs(n-subjects*share) > 6*deviation {
		t.Errorf("%v of %v subjects", n, subjects)
	}
	if slices.Equal(first, chosen(keyFile(t, exposurekey.New()), "a")) {
		t.Error("another key has the same subjects")
	}
	r := recorder(t, func(o *events.Options) { o.Share, o.KeyFile = share, file })
	for i := range subjects {
		if n, err := r.Tell([]events.Event{{Event: "bought", TargetingKey: fmt.Sprint("user-", i)}}, rules, 0, time.Now()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	_, outcomes := r.Collect(everything)
	var names []string
	for _, o := range outcomes {
		names = append(names, o.Subject)
	}
	if !slices.Equal(first, names) {
		t.Error("outcomes are of other subjects than exposures")
	}
}

// TestTell wants outcomes as they were told, and of exposures those that can be.
func TestTell(t *testing.T) {
	t.Parallel()
	r := recorder(t, nil)
	rules := ruleset(t, 7)
	shown := func(flag, variant string, version uint64) events.Event {
		return events.Event{TargetingKey: "u", Exposure: &events.Shown{Flag: flag, Variant: variant, Version: version}}
	}
	accepted, err := r.Tell([]events.Event{
		{Event: "bought", TargetingKey: "u", Value: -2.5, Flags: []string{"a", "gone"}},
		{Event: "failed", Error: true},
		shown("a", "on", 6), shown("a", "on", 6), shown("b", "off", 0),
		shown("plain", "on", 0), shown("gone", "on", 0), shown("a", "gone", 0),
	}, rules, 0, time.Now())
	if err != nil || accepted != 5 {
		t.Errorf("%d accepted, %v", accepted, err)
	}
	exposures, outcomes := r.Collect(everything)
	if len(outcomes) != 2 || len(exposures) != 2 {
		t.Fatalf("%+v %+v", exposures, outcomes)
	}
	if o := outcomes[0]; o.Event != "bought" || o.Value != -2.5 || o.Error || len(o.Flags) != 2 || o.Subject != exposures[0].Subject {
		t.Errorf("%+v", o)
	}
	if o := outcomes[1]; !o.Error || o.Subject != "" {
		t.Errorf("%+v", o)
	}
	if a, b := exposures[0], exposures[1]; a.Revision != 6 || a.Variant != "on" || b.Revision != 7 || b.Flag != "b" {
		t.Errorf("%+v %+v", a, b)
	}
	if n, err := r.Tell([]events.Event{shown("a", "on", 0)}, nil, 0, time.Now()); n != 0 || err != nil {
		t.Error("an exposure is accepted before there are flags", n, err)
	}
}

// TestEventsOfUnnamedApplications wants events of an application whose name is none to be of another than the one that the sidecar is for, as its counts are.
func TestEventsOfUnnamedApplications(t *testing.T) {
	t.Parallel()
	counts := counting.New("shop")
	r := recorder(t, func(o *events.Options) { o.Applications = counts.ApplicationName })
	for _, name := range []string{"", "shop", "cart", "no name!"} {
		if _, err := r.Tell([]events.Event{{Event: "e"}}, nil, counts.Application([]byte(name)), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	_, outcomes := r.Collect(everything)
	var got []string
	for _, o := range outcomes {
		got = append(got, o.Application)
	}
	if want := []string{"", "", "cart", counting.OtherApplication}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOutcomesWithoutRoom wants all of a request to be refused when there is no room for it, by number or by size.
func TestOutcomesWithoutRoom(t *testing.T) {
	t.Parallel()
	fill := func(e events.Event, most int) int {
		r := recorder(t, nil)
		batch := slices.Repeat([]events.Event{e}, 30)
		for n := 0; ; n += len(batch) {
			accepted, err := r.Tell(batch, nil, 0, time.Now())
			if errors.Is(err, events.ErrFull) {
				if r.Waiting() != n || accepted != 0 {
					t.Errorf("%d wait, %d were accepted, and %d at last", r.Waiting(), n, accepted)
				}
				if lost := r.TakeLost(); lost != (events.Lost{Outcomes: 30}) {
					t.Errorf("%+v", lost)
				}
				r.Collect(everything)
				if _, err := r.Tell(batch, nil, 0, time.Now()); err != nil {
					t.Error("no room after all were collected:", err)
				}
				return n
			}
			if err != nil || n > most {
				t.Fatal(n, err)
			}
		}
	}
	if n := fill(events.Event{Event: "e"}, events.MaxOutcomes); n <= events.MaxOutcomes-30 {
		t.Errorf("%d small ones", n)
	}
	if n := fill(events.Event{Event: "e", Flags: slices.Repeat([]string{strings.Repeat("k", 1000)}, 50)}, 100); n < 60 {
		t.Errorf("%d large ones", n)
	}
}

// TestKeyIsReadAgain wants another key to be used once its file has it, and all exposures to be told again with it.
func TestKeyIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := keyFile(t, exposurekey.New())
		r := recorder(t, func(o *events.Options) { o.KeyFile = file })
		go func() { _ = r.Run(t.Context()) }()
		rules := ruleset(t, 1)
		one := func() string {
			expose(t, r, rules, "a", "u", "true")
			all, _ := r.Collect(everything)
			if len(all) != 1 {
				return ""
			}
			return all[0].Subject
		}
		first := one()
		if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if again := one(); again != "" {
			t.Errorf("told again after the file was damaged: %s", again)
		}
		if err := os.WriteFile(file, exposurekey.New().Text(), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if second := one(); second == "" || second == first {
			t.Errorf("%q after %q", second, first)
		}
	})
}

// TestFilesWithoutAKey wants an error that says which file it is, if there is one, and nothing of a key that stands in place of a name.
func TestFilesWithoutAKey(t *testing.T) {
	t.Parallel()
	open := func(file string) error {
		_, err := events.New(events.Options{Environment: "prod", Share: 1, KeyFile: file, Metrics: prometheus.NewRegistry()})
		return err
	}
	file := filepath.Join(t.TempDir(), "exposure.key")
	if err := os.WriteFile(file, []byte("c2hvcnQ="), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(file); err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "c2hvcnQ=") {
		t.Error(err)
	}
	long := exposurekey.Key(make([]byte, 600)).Text()
	for _, key := range []string{string(exposurekey.New().Text()), string(long), file + "/" + string(exposurekey.New().Text()), "gone"} {
		key = strings.TrimSpace(key)
		if err := open(key); err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "--exposure-key-file") {
			t.Error(err)
		}
	}
}

// TestConcurrentExposures wants every subject once, however many requests there are for it at the same time.
func TestConcurrentExposures(t *testing.T) {
	t.Parallel()
	r := recorder(t, nil)
	rules := ruleset(t, 1)
	result := rules.Flag("a").Evaluate(new(eval.Context), time.Now())
	seen := map[string]int{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 3000 {
				r.Exposed(&result, fmt.Sprint("user-", i), 0, time.Now())
			}
		})
	}
	stop := make(chan struct{})
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for ended := false; !ended; {
			select {
			case <-stop:
				ended = true
			default:
			}
			told, _ := r.Collect(10_000)
			for ; len(told) > 0; told, _ = r.Collect(10_000) {
				for _, e := range told {
					seen[e.Subject]++
				}
			}
		}
	})
	all.Wait()
	close(stop)
	collecting.Wait()
	if len(seen) != 3000 {
		t.Errorf("%d subjects", len(seen))
	}
	for subject, n := range seen {
		if n != 1 {
			t.Fatalf("%s %d times", subject, n)
		}
	}
}

// TestMemory bounds what a full recorder keeps.
func TestMemory(t *testing.T) {
	before := heap()
	r := recorder(t, func(o *events.Options) { o.Rate = 100_000 })
	rules := ruleset(t, 1)
	result := rules.Flag("a").Evaluate(new(eval.Context), time.Now())
	for i := range 200_000 {
		r.Exposed(&result, fmt.Sprint("user-", i), 0, time.Now())
		if i%5000 == 0 && i < 190_000 {
			for r.Waiting() > 0 {
				r.Collect(1 << 20)
			}
		}
	}
	kept := heap() - before
	t.Logf("%d KiB", kept>>10)
	if kept > 8<<20 {
		t.Errorf("%d bytes are kept", kept)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) // #nosec G115 -- a test
}
