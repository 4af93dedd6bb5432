// Command audit measures how long flagside audit verify takes for a history of a million records, half of them in a log and half in a
// ledger, and how much memory. It fails unless the history is whole, and unless a record that was changed in the middle is named.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/flagside/flagside/bench/measure"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/sync/changelog"
)

func main() {
	records := flag.Int("records", 1_000_000, "how many records the history has")
	flag.Parse()
	os.Exit(measure.Run("audit", 10*time.Minute, func(ctx context.Context, site measure.Site) error { return run(ctx, site, *records) }))
}

// bench is what all measurements of one run share.
type bench struct {
	flagside string
	dir      string
	trust    string // file
	export   string // file
	records  int
}

func run(ctx context.Context, site measure.Site, records int) error {
	b := bench{
		flagside: site.Flagside, dir: site.Dir, trust: filepath.Join(site.Dir, "trust"), export: filepath.Join(site.Dir, "export.jsonl"), records: records,
	}
	if err := b.write(ctx); err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	plain, err := b.whole(ctx)
	if err != nil {
		return err
	}
	every, err := b.whole(ctx, "--every-signature")
	if err != nil {
		return err
	}
	for _, line := range []int{records / 4, 3 * records / 4} { // of the ledger, and of the log
		if err := b.tampered(ctx, line); err != nil {
			return err
		}
	}
	fmt.Printf("%d records: verified in %.1f s with %.0f MB, every signature in %.1f s with %.0f MB; one changed record was named, in log and ledger\n",
		records, plain.took.Seconds(), plain.megabytes, every.took.Seconds(), every.megabytes)
	figures.Print(
		figures.Figure{Name: "audit_records", Value: float64(records)},
		figures.Figure{Name: "audit_seconds", Value: plain.took.Seconds()},
		figures.Figure{Name: "audit_rss_mb", Value: max(plain.megabytes, every.megabytes)},
		figures.Figure{Name: "audit_every_signature_seconds", Value: every.took.Seconds()},
	)
	return nil
}

// write makes the history, in the format of flagside audit export.
func (b bench) write(ctx context.Context) error {
	i, err := newInstallation()
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.trust, []byte(i.trust), 0o600); err != nil {
		return err
	}
	out, err := os.Create(b.export)
	if err != nil {
		return err
	}
	rounds, epoch := b.records/recordsPerRound, changelog.NewEpoch(time.Unix(1000, 0), "")
	source := audit.Source{Environment: environment, Signer: i.signer}
	for _, name := range []string{ledgerStream, logStream} {
		source.Streams = append(source.Streams, audit.Stream{Name: name, Records: stream(i, epoch, rounds, name)})
	}
	return errors.Join(audit.Export(ctx, out, source), out.Close())
}

// measured is what a verification took.
type measured struct {
	took      time.Duration
	megabytes float64 // resident at most
}

// verify runs flagside audit verify.
func (b bench) verify(ctx context.Context, file string, options ...string) (m measured, output string, err error) {
	arguments := append([]string{"audit", "verify", "--file", file, "--trust-file", b.trust}, options...)
	command := exec.CommandContext(ctx, b.flagside, arguments...)
	begin := time.Now()
	text, err := command.CombinedOutput()
	m.took = time.Since(begin)
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.megabytes = float64(usage.Maxrss) * 1024 / 1e6
	}
	return m, string(text), err
}

// whole verifies the history, which must be whole.
func (b bench) whole(ctx context.Context, options ...string) (measured, error) {
	m, output, err := b.verify(ctx, b.export, options...)
	if err != nil {
		return m, fmt.Errorf("the history is refused: %w: %s", err, output)
	}
	return m, nil
}
