package publisher_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// A publisher with an embedded server exports what a sidecar reports, and refuses a file of sinks that cannot be.
func TestUsageIsExported(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "sinks.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sinks: [{name: lake, kind: parquet, every: 1s, directory: " + dir + "}]")
	if err := (publisher.Options{DataDir: t.TempDir(), UsageSinks: file, UsageBytes: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "--usage-sinks") {
		t.Errorf("sinks without usage: %v", err)
	}
	r := start(t, publisher.Options{DataDir: t.TempDir(), UsageSinks: file})
	r.create("prod")
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: r.NATSURL(), User: "prod", Environment: "prod", InboxPrefix: "_SC.prod.x", Keyring: trusttest.Default().Keyring(), Name: t.Name(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	boot, now := status.NewBoot(), time.Now()
	data, err := usage.Encode(usage.Report{Boot: boot, N: 1, From: now, To: now, Flags: []usage.Flag{{Key: "f", Counts: []usage.Count{{Reason: "STATIC", N: 1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	r.await("a report is taken", func() bool { return usage.Send(t.Context(), conn, "prod", boot, 1, data) == nil })
	r.await("it is in a file", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "series=counts", "env=prod", "*", "*", "*-0000000001-0000000001.parquet"))
		return len(found) == 1
	})
	write("sinks: [{name: lake, kind: kafka}]")
	r.await("the mistake is told", func() bool { return strings.Contains(r.log.String(), "want parquet or otlp") })
}
