package sinks

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
	"github.com/flagside/flagside/internal/reload"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/series"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

func publisherConn(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	return connect(t, flagsync.ConnectOptions{URL: url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer()})
}

func sidecarConn(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	return connect(t, flagsync.ConnectOptions{
		URL: url, Environment: natstest.Environment, NKey: natstest.SidecarKey(t), InboxPrefix: "_SC." + natstest.Environment + ".x",
		Keyring: trusttest.Default().Keyring(),
	})
}

func connect(t *testing.T, o flagsync.ConnectOptions) *flagsync.Conn {
	t.Helper()
	o.Name, o.Logger = t.Name(), zerolog.Nop()
	c, err := flagsync.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// quick is the timing of tests. The grace is long enough for a message that is stored on a machine that is busy.
func quick() timing {
	return timing{
		look: 20 * time.Millisecond, ackWait: 12 * time.Second, grace: 2 * time.Second, retry: 10 * time.Millisecond, longest: 50 * time.Millisecond,
		breaker: 50 * time.Millisecond, late: 500 * time.Millisecond,
	}
}

// exporter is a service that runs as one publisher.
type exporter struct {
	*Service

	log      *logtest.Log
	registry *prometheus.Registry
	stop     func()
}

// export runs sinks as one publisher, until stop is called or the test ends.
func export(t *testing.T, url string, all ...Sink) *exporter {
	t.Helper()
	return exportFile(t, url, reload.New(reload.Options[Config]{
		Subject: "sinks", Interval: time.Hour, Load: func() (Config, error) { return Config{Sinks: all}, nil }, Equal: func(Config, Config) bool { return true },
		Logger: zerolog.Nop(),
	}, Config{Sinks: all}))
}

// exportFile runs the sinks of a file as one publisher, until stop is called or the test ends.
func exportFile(t *testing.T, url string, file *reload.File[Config]) *exporter {
	t.Helper()
	e := &exporter{log: &logtest.Log{}, registry: prometheus.NewPedanticRegistry()}
	conn := publisherConn(t, url)
	var err error
	e.Service, err = New(Options{
		File: file, Replicas: 1, Metrics: e.registry, Logger: zerolog.New(e.log),
		Environments: func() []Environment {
			return []Environment{{Name: natstest.Environment, Open: func(ctx context.Context) (Reports, error) { return openSeries(ctx, conn) }}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.timing = quick()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, conn) }()
	e.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(e.stop)
	return e
}

func openSeries(ctx context.Context, conn *flagsync.Conn) (*series.Store, error) {
	return series.Open(ctx, conn, series.Options{Environment: natstest.Environment, Replicas: 1, ReportBytes: 64 << 20, Bytes: 64 << 20})
}

// makeStreams has the streams be there before anything is sent.
func makeStreams(t *testing.T, url string) {
	t.Helper()
	if _, err := openSeries(t.Context(), publisherConn(t, url)); err != nil {
		t.Fatal(err)
	}
}

func parquetSink(dir string) Sink {
	return Sink{Name: "lake", Kind: KindParquet, Series: rows.All(), Every: 200 * time.Millisecond, Directory: dir, Timeout: 10 * time.Second}
}

// report is one of which n is the number, with rows of all series.
func report(boot string, n uint64) usage.Report {
	now := time.Now()
	subject := strings.Repeat("ab", 32)
	return usage.Report{
		Boot: boot, N: n, From: now.Add(-time.Minute), To: now, Epoch: "epoch", Application: "shop", Release: "1.2.3", Pod: "shop-1", Namespace: "web",
		Flags:     []usage.Flag{{Key: "f", Revision: 7, Counts: []usage.Count{{Variant: "on", Reason: "STATIC", N: n}, {Reason: "ERROR", Code: "PARSE_ERROR", N: 2, Bulk: true}}}},
		NotFound:  map[string]uint64{"gone": 3},
		Exposures: []usage.Exposure{{At: now.Add(-time.Duration(n%3) * time.Hour), Flag: "f", Variant: "on", Revision: 7, Rule: 1, Subject: subject}},
		Outcomes:  []usage.Outcome{{At: now, Event: "bought", Subject: subject, Value: float64(n), Flags: []string{"f", "g"}}},
	}
}

func send(t *testing.T, conn *flagsync.Conn, r usage.Report) {
	t.Helper()
	data, err := usage.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	waiting.UntilNil(t, "a report is taken", func() error { return usage.Send(t.Context(), conn, natstest.Environment, r.Boot, r.N, data) })
}

// readFiles returns the rows of a series in a directory, as a reader sees them who takes every file that ends with .parquet.
func readFiles[T any](t *testing.T, dir string, s rows.Series) (all []T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "series="+string(s), "env=*", "date=*", "hour=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		found, err := parquet.ReadFile[T](file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, found...)
	}
	return all
}

// reportsIn returns how often each report is in a table.
func reportsIn(t *testing.T, dir string) (counts, exposures, outcomes map[string]int) {
	t.Helper()
	counts, exposures, outcomes = make(map[string]int), make(map[string]int), make(map[string]int)
	id := func(o rows.Origin) string { return fmt.Sprint(o.Boot, "/", o.Number) }
	for _, r := range readFiles[rows.Count](t, dir, rows.Counts) {
		if r.Variant == "on" {
			counts[id(r.Origin)]++
			if r.Evaluations != r.Number {
				t.Errorf("report %d has %d evaluations", r.Number, r.Evaluations)
			}
		}
	}
	for _, r := range readFiles[rows.Exposure](t, dir, rows.Exposures) {
		exposures[id(r.Origin)]++
	}
	for _, r := range readFiles[rows.Outcome](t, dir, rows.Outcomes) {
		outcomes[id(r.Origin)]++
	}
	return counts, exposures, outcomes
}

// wantOnce compares what is in the files with what was sent: each report once in each table.
func wantOnce(t *testing.T, dir string, want []string) {
	t.Helper()
	counts, exposures, outcomes := reportsIn(t, dir)
	for table, got := range map[string]map[string]int{"counts": counts, "exposures": exposures, "outcomes": outcomes} {
		for _, id := range want {
			if got[id] != 1 {
				t.Errorf("%s: report %s is there %d times", table, id, got[id])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d reports, want %d", table, len(got), len(want))
		}
	}
}

// taken waits until a sink has everything.
func (e *exporter) taken(t *testing.T, last uint64) {
	t.Helper()
	waiting.Until(t, "all reports are taken", func() bool {
		all := e.all()
		if len(all) == 0 {
			return false
		}
		return !slices.ContainsFunc(all, func(r *running) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.waiting > 0 || r.floor < last
		})
	}, e.log)
}

// While publishers come, go and compete, and the server restarts, each report is in the files once.
func TestEachReportIsInTheFilesOnce(t *testing.T) {
	t.Parallel()
	const reporters, each = 3, 60
	s := natstest.Start(t)
	makeStreams(t, s.URL())
	dir := t.TempDir()
	steady := export(t, s.URL(), parquetSink(dir))
	var want []string
	var mu sync.Mutex
	var sending sync.WaitGroup
	for range reporters {
		conn := sidecarConn(t, s.URL())
		sending.Go(func() {
			boot := status.NewBoot()
			for n := range uint64(each) {
				send(t, conn, report(boot, n+1))
				mu.Lock()
				want = append(want, fmt.Sprint(boot, "/", n+1))
				mu.Unlock()
				time.Sleep(rand.N(200 * time.Millisecond))
			}
		})
	}
	for i := range 4 {
		other := export(t, s.URL(), parquetSink(dir))
		time.Sleep(rand.N(2 * time.Second))
		other.stop()
		if i == 2 {
			s.Restart(t)
		}
	}
	sending.Wait()
	steady.taken(t, reporters*each)
	wantOnce(t, dir, want)
	if lines := steady.Lost(time.Now()); len(lines) > 0 {
		t.Error(lines)
	}
	if got := testutil.ToFloat64(steady.metrics.malformed.WithLabelValues("lake", natstest.Environment)); got != 0 {
		t.Errorf("%v reports could not be read", got)
	}
}

// crashing is a destination that ends in the middle, as a publisher does that is killed.
type crashing struct {
	store

	left int
	end  context.CancelFunc
}

func (c *crashing) Put(ctx context.Context, name string, data []byte) error {
	if c.left--; c.left == 0 {
		c.end()
		return context.Canceled
	}
	return c.store.Put(ctx, name, data)
}

// A publisher that ends after some of the files of a parcel leaves some files, and the next one replaces them by the same.
func TestWhatIsHalfWrittenIsReplaced(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	makeStreams(t, s.URL())
	dir := t.TempDir()
	conn, boot := sidecarConn(t, s.URL()), status.NewBoot()
	var want []string
	for n := range uint64(12) {
		send(t, conn, report(boot, n+1))
		want = append(want, fmt.Sprint(boot, "/", n+1))
	}
	e := export(t, s.URL()) // has the metrics
	for left := range 5 {   // of the files of counts, outcomes, and exposures of three hours
		ctx, cancel := context.WithCancel(t.Context())
		d, err := newDestination(parquetSink(dir))
		if err != nil {
			t.Fatal(err)
		}
		publisher := publisherConn(t, s.URL())
		c := &carrier{
			sink: parquetSink(dir), environment: natstest.Environment, replicas: 1, conn: publisher, timing: quick(), patience: newPatience(time.Minute, quick()),
			openReports: func(ctx context.Context) (Reports, error) { return openSeries(ctx, publisher) },
			target:      files{&crashing{d.(files).store, left + 1, cancel}},
			tally:       &tally{sink: "lake", environment: natstest.Environment, counters: e.metrics.begin("lake", natstest.Environment), logger: zerolog.Nop()},
		}
		done := make(chan struct{})
		go func() { defer close(done); c.run(ctx) }()
		select {
		case <-done:
		case <-time.After(waiting.Patience):
			t.Fatal("nothing was written")
		}
		cancel()
		counts, exposures, outcomes := reportsIn(t, dir)
		for _, got := range []map[string]int{counts, exposures, outcomes} {
			for id, n := range got {
				if n != 1 {
					t.Errorf("after %d files report %s is there %d times", left, id, n)
				}
			}
		}
	}
	export(t, s.URL(), parquetSink(dir)).taken(t, uint64(len(want)))
	wantOnce(t, dir, want)
}

// A directory that is not there, and a disk that is full, lose nothing: reports wait, and it is told.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	disk := faultdisk.Start(t, 4<<20)
	s := natstest.Start(t)
	makeStreams(t, s.URL())
	dir := filepath.Join(disk.Dir(), "usage")
	e := export(t, s.URL(), parquetSink(dir))
	conn, boot := sidecarConn(t, s.URL()), status.NewBoot()
	late := func(why string) {
		t.Helper()
		waiting.Until(t, "it is told that "+why, func() bool {
			lines := e.Late(time.Now())
			return len(lines) == 1 && strings.Contains(lines[0], why) && strings.Contains(lines[0], "sink lake ("+dir+"), environment "+natstest.Environment)
		}, e.log)
	}
	send(t, conn, report(boot, 1))
	late("no such file or directory")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e.taken(t, 1)
	disk.Fill(t, 0)
	send(t, conn, report(boot, 2))
	late("no space left on device")
	if counts, _, _ := reportsIn(t, dir); len(counts) != 1 {
		t.Errorf("%d reports in the files of a full disk", len(counts))
	}
	disk.Free(t)
	e.taken(t, 2)
	wantOnce(t, dir, []string{boot + "/1", boot + "/2"})
	waiting.Until(t, "it is not told any more", func() bool { return len(e.Late(time.Now())) == 0 })
	if left, _ := filepath.Glob(filepath.Join(dir, ".writing", "*")); len(left) != 0 {
		t.Errorf("left aside: %v", left)
	}
}

// Reports that the stream removed before a sink had them are counted and told.
func TestLostReportsAreTold(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	makeStreams(t, s.URL())
	dir := filepath.Join(t.TempDir(), "usage")
	conn, boot := sidecarConn(t, s.URL()), status.NewBoot()
	e := export(t, s.URL(), parquetSink(dir)) // which has the first report in hand, and waits for the directory
	send(t, conn, report(boot, 1))
	waiting.Until(t, "the first report is late", func() bool { return len(e.Late(time.Now())) == 1 }, e.log)
	waiting.Until(t, "it is in hand", func() bool {
		return testutil.ToFloat64(e.metrics.failures.WithLabelValues("lake", natstest.Environment)) > 0
	}, e.log)
	for n := range uint64(3) {
		send(t, conn, report(boot, n+2))
	}
	waiting.Until(t, "the others are seen to wait", func() bool { return e.all()[0].known().reports == 4 }, e.log)
	keepOne(t, s)
	waiting.Until(t, "the loss is told", func() bool { return len(e.Lost(time.Now())) == 1 }, e.log)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e.taken(t, 4)
	if got := testutil.ToFloat64(e.metrics.lost.WithLabelValues("lake", natstest.Environment)); got != 2 {
		t.Errorf("%v reports are lost, want 2", got)
	}
	wantOnce(t, dir, []string{boot + "/1", boot + "/4"})
}

// Sinks that a file lists no longer, and environments that a sink does not want any more, have no metrics once the file is read again. Those that stay go
// on counting where they were.
func TestSinksThatAreGoneHaveNoMetrics(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	makeStreams(t, s.URL())
	dir := t.TempDir()
	for _, name := range []string{"stays", "goes", "leaves"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "sinks.json")
	write := func(sinks ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(`{"sinks":[`+strings.Join(sinks, ",")+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sink := func(name, more string) string {
		return fmt.Sprintf(`{"name":%q,"kind":"parquet","every":"1s","directory":%q%s}`, name, filepath.Join(dir, name), more)
	}
	write(sink("stays", ""), sink("goes", ""), sink("leaves", ""))
	file, err := Open(path, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	e := exportFile(t, s.URL(), file)
	send(t, sidecarConn(t, s.URL()), report(status.NewBoot(), 1))
	counted := func() map[string]float64 {
		families, err := e.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]float64)
		for _, family := range families {
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "sink" {
						all[l.GetValue()] += m.GetCounter().GetValue()
					}
				}
			}
		}
		return all
	}
	waiting.Until(t, "three sinks have the report", func() bool {
		all := counted()
		return all["stays"] > 0 && all["goes"] > 0 && all["leaves"] > 0
	}, e.log)
	before := counted()["stays"]
	write(sink("stays", `,"timeout":"5s"`), sink("leaves", `,"environments":["elsewhere"]`))
	waiting.Until(t, "two sinks are not counted any more", func() bool {
		all := counted()
		_, goes := all["goes"]
		_, leaves := all["leaves"]
		return !goes && !leaves
	}, e.log)
	if after := counted()["stays"]; after < before {
		t.Errorf("the one that stays has counted %v, after %v", after, before)
	}
}

// keepOne has the stream remove all reports but the newest, as it does with old ones.
func keepOne(t *testing.T, s *natstest.Server) {
	t.Helper()
	const stream = "USAGE_" + natstest.Environment
	conn := natstest.ConnectPublishers(t, s.URL())
	answer, err := conn.Request("$JS.API.STREAM.INFO."+stream, nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Config map[string]any `json:"config"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		t.Fatal(err)
	}
	info.Config["max_msgs"] = 1
	body, err := json.Marshal(info.Config)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err = conn.Request("$JS.API.STREAM.UPDATE."+stream, body, time.Minute); err != nil || strings.Contains(string(answer.Data), `"error"`) {
		t.Fatalf("%s, %v", answer.Data, err)
	}
}

// Files have these columns and no others: none is for a targeting key, an attribute of a context, a value or an address.
func TestColumns(t *testing.T) {
	t.Parallel()
	origin := "report_boot report_number application application_version namespace pod"
	for _, test := range []struct {
		schema *parquet.Schema
		want   string
	}{
		{parquet.SchemaOf(rows.Count{}), "time began received flag revision epoch variant reason error_code rule bulk evaluations " + origin},
		{parquet.SchemaOf(rows.Exposure{}), "time received flag variant revision epoch rule subject " + origin},
		{parquet.SchemaOf(rows.Outcome{}), "time received event subject value error flags " + origin},
	} {
		var got []string
		for _, f := range test.schema.Fields() {
			got = append(got, f.Name())
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, " "), test.want)
		}
	}
}
