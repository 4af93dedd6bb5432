package rate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// syncCalls are the system calls that wait until something is on the disk.
const syncCalls = "fsync,fdatasync,msync,sync_file_range"

// syncs returns how often processes wait for the disk for each change that is made; 0 without strace, or where that may not
// look at them.
func syncs(ctx context.Context, all []*process.Process, do func() (made int64, err error)) (float64, error) {
	strace, err := exec.LookPath("strace")
	if errors.Is(err, exec.ErrNotFound) {
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "flagside-syncs-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	counts := filepath.Join(dir, "counts")
	args := []string{"-f", "-c", "-e", "trace=" + syncCalls, "-o", counts}
	for _, p := range all {
		args = append(args, "-p", strconv.Itoa(p.PID()))
	}
	tracer, err := process.Start(strace, args...)
	if err != nil {
		return 0, err
	}
	defer tracer.Kill()
	attached := func() bool {
		return !slices.ContainsFunc(all, func(p *process.Process) bool {
			return !strings.Contains(tracer.Output(), fmt.Sprintf("Process %d attached", p.PID()))
		})
	}
	if err := process.Await(ctx, "waiting for strace", func() bool { return attached() || ended(tracer) }); err != nil {
		return 0, fmt.Errorf("%w: %s", err, tracer.Output())
	}
	if ended(tracer) {
		fmt.Printf("syncs are not counted: strace: %s", tracer.Output())
		return 0, nil
	}
	made, err := do()
	if err != nil {
		return 0, err
	}
	if err := tracer.Signal(syscall.SIGINT); err != nil {
		return 0, err
	}
	<-tracer.Done()
	text, err := os.ReadFile(counts)
	if err != nil {
		return 0, err
	}
	return float64(callsIn(string(text))) / float64(made), nil
}

func ended(p *process.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// callsIn returns the calls of a summary of strace: the fourth column, of lines that end with the name of a call.
func callsIn(summary string) (sum int) {
	for line := range strings.Lines(summary) {
		fields := strings.Fields(line)
		if len(fields) < 5 || !strings.Contains(syncCalls, fields[len(fields)-1]) {
			continue
		}
		if n, err := strconv.Atoi(fields[3]); err == nil {
			sum += n
		}
	}
	return sum
}

// Plain returns how many times a second a program that does nothing else appends so many bytes to a file in dir and waits until they are on the disk:
// what the disk allows at that moment.
func Plain(dir string, size int, duration time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "plain-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	record := make([]byte, size)
	begin, n := time.Now(), 0
	for ; time.Since(begin) < duration; n++ {
		if _, err := f.Write(record); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}
