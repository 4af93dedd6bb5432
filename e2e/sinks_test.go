package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// exporting is publishers that write usage to one directory, and a sidecar that reports.
type exporting struct {
	*system

	server string
	sinks  string // file
	dir    string
	conn   *flagsync.Conn
	boot   string
	sent   uint64
}

func newExporting(t *testing.T) *exporting {
	t.Helper()
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	server := natstest.Start(t).URL()
	x := &exporting{system: s, server: server, dir: t.TempDir(), sinks: filepath.Join(t.TempDir(), "sinks.yaml"), boot: status.NewBoot()}
	text := fmt.Sprintf("sinks: [{name: lake, kind: parquet, directory: %q, every: 1s}]", x.dir)
	if err := os.WriteFile(x.sinks, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return x
}

// begin starts a publisher.
func (x *exporting) begin() *process.Publisher {
	x.t.Helper()
	p, err := binaries.StartPublisherWith(x.ctx, addresses(x.t, 1)[0], "", "--nats", x.server, "--usage-sinks", x.sinks)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(p.Kill)
	return p
}

// report sends a report with an exposure in each of many hours, so that it makes many files.
func (x *exporting) report() {
	x.t.Helper()
	if x.conn == nil {
		var err error
		if x.conn, err = flagsync.Connect(x.ctx, flagsync.ConnectOptions{
			URL: x.server, Environment: natstest.Environment, NKey: natstest.SidecarKey(x.t), InboxPrefix: "_SC." + natstest.Environment + ".x",
			Keyring: trusttest.Default().Keyring(), Name: x.t.Name(), Logger: zerolog.Nop(),
		}); err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(x.conn.Close)
	}
	x.sent++
	now := time.Now()
	r := usage.Report{Boot: x.boot, N: x.sent, From: now.Add(-time.Minute), To: now}
	for hour := range hoursOfReport {
		r.Exposures = append(r.Exposures, usage.Exposure{At: now.Add(-time.Duration(hour) * time.Hour), Flag: "f", Variant: "on", Subject: strings.Repeat("ab", 32)})
	}
	data, err := usage.Encode(r)
	if err != nil {
		x.t.Fatal(err)
	}
	waiting.UntilNil(x.t, "a report is taken", func() error { return usage.Send(x.ctx, x.conn, natstest.Environment, x.boot, x.sent, data) })
}

const hoursOfReport = 60

// files returns the files that a reader sees.
func (x *exporting) files() []string {
	found, err := filepath.Glob(filepath.Join(x.dir, "series=*", "env=*", "date=*", "hour=*", "*.parquet"))
	if err != nil {
		x.t.Fatal(err)
	}
	return found
}

// read returns how often each exposure is there, by its report and hour, and fails if one is there twice.
func (x *exporting) read() map[string]int {
	x.t.Helper()
	all := make(map[string]int)
	for _, file := range x.files() {
		found, err := parquet.ReadFile[struct {
			Number int64 `parquet:"report_number"`
		}](file)
		if err != nil {
			x.t.Fatalf("%s: %v", file, err)
		}
		for _, row := range found {
			all[fmt.Sprint(row.Number, filepath.Dir(file))]++
		}
	}
	for id, n := range all {
		if n != 1 {
			x.t.Errorf("an exposure is there %d times: %s", n, id)
		}
	}
	return all
}

// A publisher is killed while it writes files. What it has left is there once, and another process writes the rest: each report is there once.
func TestUsageFilesOfAPublisherThatIsKilled(t *testing.T) {
	t.Parallel()
	rounds := 1
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 20
	}
	x := newExporting(t)
	p := x.begin()
	if err := binaries.CreateEnvironment(x.ctx, p.Admin, natstest.Environment); err != nil {
		t.Fatal(err)
	}
	halves := 0
	for range rounds {
		for range 5 {
			x.report()
		}
		before := len(x.files())
		kill := before + 1 + rand.IntN(hoursOfReport/2)
		waiting.Until(t, "some files are written", func() bool { return len(x.files()) >= kill })
		p.Kill()
		if got := len(x.read()); got < int(x.sent)*hoursOfReport {
			halves++
		}
		p = x.begin()
		waiting.Until(t, "the rest is written", func() bool { return len(x.read()) == int(x.sent)*hoursOfReport })
	}
	x.read()
	t.Logf("%d reports over %d kills, %d of them amid a parcel", x.sent, rounds, halves)
}
