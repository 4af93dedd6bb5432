package publisher_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/control/decide"
)

// Fifty thousand entries of ten thousand flags are backed up, restored and moved, and what that takes is told. FLAGSIDE_SOAK=1 runs it.
func TestBackupOfMuch(t *testing.T) {
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("set FLAGSIDE_SOAK=1 to run it")
	}
	from := house(t)
	r := start(t, from)
	r.create("prod")
	for round := range 5 {
		var all []document.Document
		for n := range 10_000 {
			all = append(all, document.Document{Kind: document.KindFlag, Key: flagKey(n), Body: numbered(round*10_000 + n)})
		}
		if err := r.Renew(t.Context(), "prod", decide.Origin{Owner: true, Actor: "op"}, all); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	file := filepath.Join(t.TempDir(), "flagside.backup")
	o := publisher.Options{DataDir: from.DataDir, KeysDir: from.KeysDir}
	var made publisher.BackedUp
	timed(t, "backup", func() (err error) {
		made, err = publisher.BackupFile(t.Context(), o, file, false)
		return err
	})
	t.Logf("%d bytes, %+v", made.Bytes, made.Streams)
	timed(t, "restore", func() error {
		_, err := restore(t, house(t), file)
		return err
	})
	timed(t, "move to a cluster", func() error {
		_, err := publisher.Move(t.Context(), o, publisher.Options{NATS: natstest.StartCluster(t).URL(), Replicas: 3, KeysDir: from.KeysDir})
		return err
	})
}

func flagKey(n int) string { return "flag-" + string(rune('a'+n%26)) + time.Duration(n).String() }

// timed tells how long something takes, and how much memory the heap had at most.
func timed(t *testing.T, what string, do func() error) {
	t.Helper()
	runtime.GC()
	begin, over, peak := time.Now(), make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-over:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	err := do()
	close(over)
	t.Logf("%s: %s, heap at most %d MB", what, time.Since(begin).Round(time.Millisecond), <-peak>>20)
	if err != nil {
		t.Fatal(err)
	}
}
