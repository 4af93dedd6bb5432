package audit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// Checkpoints are appended when a history has grown and at the end. What could not be written is tried again, and a file that was moved
// away begins anew.
func TestCheckpointsAreAppended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "volume")
		file := filepath.Join(dir, "checkpoints")
		var mu sync.Mutex // guards what follows
		var head uint64
		var refused, last error
		set := func(change func()) {
			mu.Lock()
			defer mu.Unlock()
			change()
		}
		noted := func() error {
			mu.Lock()
			defer mu.Unlock()
			return last
		}
		c := audit.Checkpoints{
			File: file, Interval: time.Minute,
			Signer: func() (*changelog.Signer, error) {
				mu.Lock()
				defer mu.Unlock()
				return trusttest.Default().Signer(), refused
			},
			Heads: func() []changelog.StreamHead {
				mu.Lock()
				defer mu.Unlock()
				if head == 0 {
					return nil
				}
				return []changelog.StreamHead{{Stream: "CONTROL", Anchor: changelog.Anchor{Sequence: head, Digest: changelog.Sum([]byte{byte(head)})}}}
			},
			Note: func(err error) { set(func() { last = err }) },
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		want := func(when string, file string, count int) {
			t.Helper()
			text, err := os.ReadFile(file)
			if err != nil && (count > 0 || !errors.Is(err, os.ErrNotExist)) {
				t.Fatalf("%s: %v", when, err)
			}
			if got := strings.Count(string(text), "flagside checkpoint 2\n"); got != count {
				t.Errorf("%s: %d checkpoints, want %d", when, got, count)
			}
		}
		minute := func() {
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		minute()
		want("nothing is known", file, 0)
		set(func() { head = 1 })
		minute()
		if err := noted(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), file) {
			t.Errorf("without the directory: %v", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		minute()
		want("after the directory was made", file, 1)
		if err := noted(); err != nil {
			t.Errorf("with the directory: %v", err)
		}
		minute()
		want("nothing has grown", file, 1)
		retired := errors.New("the key is retired")
		set(func() { head, refused = 2, retired })
		minute()
		if err := noted(); !errors.Is(err, retired) {
			t.Errorf("with a retired key: %v", err)
		}
		want("with a retired key", file, 1)
		set(func() { refused = nil })
		minute()
		want("with a key again", file, 2)
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
		set(func() { head = 3 })
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want("at the end", file, 1)
		want("moved away", file+".1", 2)
	})
}

// Each checkpoint of a file must be contained, also where a later one says otherwise. One that was torn says nothing.
func TestEveryCheckpointCounts(t *testing.T) {
	t.Parallel()
	p := longPast(t)
	sign := func(heads ...changelog.StreamHead) string {
		signed, err := p.signer.SignCheckpoint(changelog.Checkpoint{Time: time.Unix(1, 0), Heads: heads})
		if err != nil {
			t.Fatal(err)
		}
		return signed + "\n"
	}
	ledger := func(n int) changelog.StreamHead {
		r := p.ledger[n]
		return changelog.StreamHead{Stream: r.Stream, Anchor: changelog.Anchor{Sequence: r.Sequence, Digest: changelog.Sum(r.Data)}}
	}
	log := changelog.StreamHead{Stream: "FLAGS_" + environment, Epoch: p.at.Epoch, Anchor: changelog.Anchor{Sequence: p.at.Revision, Digest: p.at.Digest}}
	gone, other, former := ledger(2), log, log
	gone.Digest[0]++
	other.Digest[0]++
	former.Epoch = changelog.NewEpoch(time.Unix(1, 0), "")
	former.Digest[0]++
	elsewhere := changelog.StreamHead{Stream: "FLAGS_staging", Epoch: log.Epoch, Anchor: log.Anchor}
	for name, test := range map[string]struct {
		file     string
		bad      string // the stream
		warnings int
	}{
		"all true":            {sign(ledger(0)) + sign(ledger(3), log), "", 0},
		"an older one":        {sign(gone) + sign(ledger(3), log), gone.Stream, 0},
		"the newest one":      {sign(ledger(0)) + sign(ledger(3), other), other.Stream, 0},
		"a torn one":          {sign(ledger(0))[:90] + sign(log), "", 1},
		"a torn one, and bad": {sign(ledger(0))[:90] + sign(gone), gone.Stream, 1},
		"another environment": {sign(elsewhere, log), "", 0},
		"an unknown epoch":    {sign(former) + sign(log), former.Stream, 0},
	} {
		report, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{Checkpoints: test.file})
		bad, _ := errors.AsType[*audit.BadRecordError](err)
		if (err != nil) != (test.bad != "") || bad != nil && bad.Stream != test.bad || len(report.Warnings) != test.warnings || report.Incomplete {
			t.Errorf("%s: %v, warnings %q", name, err, report.Warnings)
		}
	}
	for name, file := range map[string]string{"torn": sign(log)[:90], "of another": "flagside checkpoint 2\nx\n", "no checkpoint": "text", "of the ledger": sign(ledger(0)), "of another environment": sign(elsewhere)} {
		if _, err := audit.Verify(join(p.export()), p.keys.Trust, audit.Options{Checkpoints: file}); err == nil {
			t.Errorf("%s: a file that says nothing is accepted", name)
		}
	}
}
