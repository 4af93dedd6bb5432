// Command walkthrough changes flags as people do, with the programs as released: an editor proposes, an approver approves, and whatever
// can go wrong goes wrong. Each step is a command line, and what it prints and how it ends is checked. The transcript is
// docs/walkthrough.md. The last line has the figures, with the latency of writes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

const (
	// limit bounds the whole walk.
	limit = 2 * time.Minute
	// patience is how long one condition may take.
	patience = 20 * time.Second
	// writes is how many changes are measured.
	writes = 300
)

func main() {
	document := flag.String("write", "docs/walkthrough.md", "file that gets the transcript; empty is none")
	flag.Parse()
	if err := run(context.Background(), *document); err != nil {
		fmt.Fprintln(os.Stderr, "walkthrough:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, document string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "flagside-walkthrough-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := start(ctx, dir)
	defer w.stop()
	if err != nil {
		return err
	}
	if err := w.walk(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, w.String())
	}
	latencies, err := w.measure(ctx, writes)
	if err != nil {
		return err
	}
	text := w.String()
	fmt.Print(text)
	if document != "" && w.failed == 0 {
		if err := os.WriteFile(document, []byte(text), 0o600); err != nil {
			return err
		}
	}
	fmt.Printf("\n%d writes, one after the other, to the embedded log with SyncAlways: p50 %.2f ms, p99 %.2f ms\n",
		len(latencies), latencies.Milliseconds(50), latencies.Milliseconds(99))
	figures.Print(
		figures.Figure{Name: "steps", Value: float64(w.steps)}, figures.Figure{Name: "failed", Value: float64(w.failed)},
		figures.Figure{Name: "write_p50_ms", Value: latencies.Milliseconds(50)},
		figures.Figure{Name: "write_p99_ms", Value: latencies.Milliseconds(99)},
	)
	if w.failed > 0 {
		return fmt.Errorf("%d of %d steps did not end as they should", w.failed, w.steps)
	}
	return nil
}

// start runs a publisher and a sidecar of its environment prod. What it returns is to be stopped, with an error too.
func start(ctx context.Context, dir string) (*walker, error) {
	w := &walker{dir: dir, ids: map[string]string{}, tokens: map[string]string{"admin": filepath.Join(dir, "data", "admin-token")}}
	w.Name(dir, "DIR")
	binaries, err := process.Build(ctx, dir)
	if err != nil {
		return w, err
	}
	w.binaries = binaries
	addresses, err := process.FreeAddresses(5)
	if err != nil {
		return w, err
	}
	w.admin, w.gate = addresses[0], addresses[4]
	w.receiver = newReceiver()
	webhooks, err := w.receiver.configure(dir)
	if err != nil {
		return w, err
	}
	publisher, err := process.Start(binaries.Publisher, "serve", "--data-dir", filepath.Join(dir, "data"),
		"--admin-addr", addresses[0], "--nats-addr", addresses[1], "--webhooks", webhooks)
	if err != nil {
		return w, err
	}
	w.processes = append(w.processes, publisher)
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := process.Await(ready, "the publisher", func() bool { return answers(ctx, "http://"+addresses[0]+"/readyz") }); err != nil {
		return w, fmt.Errorf("%w\n%s", err, publisher.Output())
	}
	// How fast a change is served, and whether the publisher has heard of the sidecar yet, would be told differently in each run.
	if w.sidecar, err = binaries.StartSidecar("prod", addresses[1], "", addresses[2], addresses[3],
		append(withGate(w.gate), "--trust-file", filepath.Join(dir, "data", "trust"), "--status-reports=false", "--usage=false")...); err != nil {
		return w, err
	}
	w.processes = append(w.processes, w.sidecar.Process)
	return w, nil
}
