// Package duckdb_test has DuckDB read the files of usage that publishers write, as docs/usage.md says. Nothing of DuckDB is in the products: it runs in
// Node.js, and make sinks installs it.
package duckdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/usage/sinks"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/series"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// duckdb returns what runs SQL, and skips the test where that is not installed.
func duckdb(t *testing.T) func(sql string) []map[string]any {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: DuckDB runs in Node.js here")
	}
	if _, err := os.Stat("node_modules/@duckdb/node-api"); err != nil {
		t.Skip("DuckDB is not installed: make sinks installs it")
	}
	return func(sql string) (rows []map[string]any) {
		t.Helper()
		var errors bytes.Buffer
		c := exec.CommandContext(t.Context(), node, "query.mjs")
		c.Stdin, c.Stderr = strings.NewReader(sql), &errors
		out, err := c.Output()
		if err == nil {
			err = json.Unmarshal(out, &rows)
		}
		if err != nil {
			t.Fatalf("%s\n%v\n%s", sql, err, &errors)
		}
		return rows
	}
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

// publish writes what is sent to a directory, as a publisher does, and returns that and what sends reports.
func publish(t *testing.T) (dir string, send func(usage.Report), settled func()) {
	t.Helper()
	server := natstest.Start(t)
	conn := connect(t, flagsync.ConnectOptions{URL: server.URL(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer()})
	sidecar := connect(t, flagsync.ConnectOptions{
		URL: server.URL(), Environment: natstest.Environment, NKey: natstest.SidecarKey(t), InboxPrefix: "_SC." + natstest.Environment + ".x",
		Keyring: trusttest.Default().Keyring(),
	})
	dir = t.TempDir()
	file := filepath.Join(t.TempDir(), "sinks.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"sinks":[{"name":"lake","kind":"parquet","directory":%q,"every":"1s"}]}`, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := sinks.Open(file, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context) (sinks.Reports, error) {
		return series.Open(ctx, conn, series.Options{Environment: natstest.Environment, Replicas: 1, ReportBytes: 64 << 20, Bytes: 64 << 20})
	}
	if _, err := open(t.Context()); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	service, err := sinks.New(sinks.Options{
		File: opened, Replicas: 1, Metrics: registry, Logger: zerolog.Nop(),
		Environments: func() []sinks.Environment { return []sinks.Environment{{Name: natstest.Environment, Open: open}} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = service.Run(ctx, conn) }()
	t.Cleanup(func() { cancel(); <-done })

	boot, n, rows := status.NewBoot(), uint64(0), 0.0
	send = func(r usage.Report) {
		n++
		r.Boot, r.N = boot, n
		for _, f := range r.Flags {
			rows += float64(len(f.Counts))
		}
		rows += float64(len(r.Exposures) + len(r.Outcomes))
		data, err := usage.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		waiting.UntilNil(t, "a report is taken", func() error { return usage.Send(t.Context(), sidecar, natstest.Environment, boot, n, data) })
	}
	return dir, send, func() {
		waiting.Until(t, "all rows are written", func() bool { return written(t, registry) == rows })
	}
}

// written returns how many rows were.
func written(t *testing.T, registry *prometheus.Registry) (sum float64) {
	t.Helper()
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() == "flagside_usage_sink_rows_total" {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// DuckDB sees what was reported: the sums of counts, types of columns, partitions, and who did what after which variant, by the query of the documentation.
func TestDuckDBReadsUsage(t *testing.T) {
	t.Parallel()
	query := duckdb(t)
	dir, send, settled := publish(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	subject := func(n int) string { return fmt.Sprintf("%064x", n) }
	// Of 90 subjects, 30 got on, 50 off and 10 both; each third of those with on, and each fifth of those with off did what is counted, some twice.
	var sum uint64
	for n := range 90 {
		r := usage.Report{From: now.Add(-time.Minute), To: now, Application: "shop", Epoch: "epoch"}
		variants := []string{"on"}
		if n >= 30 {
			variants = []string{"off"}
		}
		if n >= 80 {
			variants = []string{"on", "off"}
		}
		for _, v := range variants {
			r.Flags = append(r.Flags, usage.Flag{Key: "new-checkout", Revision: 7, Counts: []usage.Count{{Variant: v, Reason: "SPLIT", N: uint64(n)}}})
			r.Exposures = append(r.Exposures, usage.Exposure{At: now.Add(-time.Hour), Flag: "new-checkout", Variant: v, Revision: 7, Subject: subject(n)})
			sum += uint64(n)
		}
		if n < 30 && n%3 == 0 || n >= 30 && n%5 == 0 {
			for range 1 + n%2 {
				r.Outcomes = append(r.Outcomes, usage.Outcome{At: now, Event: "order-placed", Subject: subject(n), Value: 19.5, Flags: []string{"new-checkout"}})
			}
		}
		r.Outcomes = append(r.Outcomes, // another event, and one before the exposure
			usage.Outcome{At: now, Event: "page-left", Subject: subject(n)}, usage.Outcome{At: now.Add(-2 * time.Hour), Event: "order-placed", Subject: subject(n)})
		send(r)
	}
	settled()

	counts := "read_parquet('" + dir + "/series=counts/**/*.parquet', hive_partitioning = true)"
	want := []map[string]any{{"sum": fmt.Sprint(sum), "env": natstest.Environment, "date": now.Format(time.DateOnly), "hour": now.Format("15"), "time": now.Format("2006-01-02 15:04:05.999") + "+00"}}
	got := query("SET TimeZone = 'UTC'; SELECT sum(evaluations)::VARCHAR AS sum, env, date::VARCHAR AS date, hour::VARCHAR AS hour, max(time)::VARCHAR AS time FROM " + counts + " GROUP BY ALL")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	want = []map[string]any{
		{"variant": "off", "subjects": "50", "converted": "10", "percent": 20.0},
		{"variant": "on", "subjects": "30", "converted": "10", "percent": 33.33},
	}
	if diff := cmp.Diff(want, query(documented(t, dir))); diff != "" {
		t.Errorf("conversions (-want +got):\n%s", diff)
	}
	got = query("SELECT DISTINCT flags[1] AS flag, value FROM read_parquet('" + dir + "/series=outcomes/**/*.parquet') WHERE len(flags) > 0")
	if diff := cmp.Diff([]map[string]any{{"flag": "new-checkout", "value": 19.5}}, got); diff != "" {
		t.Errorf("flags of outcomes (-want +got):\n%s", diff)
	}
}

// documented returns the query of the documentation, for a directory, and from yesterday on.
func documented(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/usage.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```sql\n(WITH exposed.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/usage.md has no query that begins with WITH exposed")
	}
	sql := strings.ReplaceAll(string(found[1]), "/var/lib/flagside-usage", dir)
	sql = strings.ReplaceAll(sql, "env=prod", "env="+natstest.Environment)
	return regexp.MustCompile(`DATE '[0-9-]+'`).ReplaceAllString(sql, "DATE '"+time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)+"'")
}
