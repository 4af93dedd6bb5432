// Package process builds the real binaries and runs them as processes, for
// end-to-end tests and for measurements.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const module = "github.com/flagside/flagside"

// Binaries are the paths of the built programs.
type Binaries struct {
	Sidecar   string
	Publisher string
	Flagside  string
}

// Build compiles the programs into dir, stripped as they are released, and makes the keys of their installation there.
func Build(ctx context.Context, dir string) (Binaries, error) {
	b := in(dir)
	for _, path := range []string{b.Sidecar, b.Publisher, b.Flagside} {
		if err := BuildProgram(ctx, "cmd/"+filepath.Base(path), path); err != nil {
			return Binaries{}, err
		}
	}
	return b, b.makeKeys(ctx)
}

// Built returns the programs that are in dir already, and makes the keys of their installation there unless it has them.
func Built(ctx context.Context, dir string) (Binaries, error) {
	b := in(dir)
	return b, b.makeKeys(ctx)
}

func in(dir string) Binaries {
	return Binaries{Sidecar: filepath.Join(dir, "sidecar"), Publisher: filepath.Join(dir, "publisher"), Flagside: filepath.Join(dir, "flagside")}
}

// BuildProgram compiles the program in a folder of the module into a file, stripped and without cgo as programs are released. Paths of sources are left
// in it, so that what was compiled for tests need not be compiled again.
func BuildProgram(ctx context.Context, folder, file string) error {
	// #nosec G204 -- the arguments are the caller's constants and a file of its own.
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", file, module+"/"+folder)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	return nil
}

// Process is a program that was started. Its output is kept for messages.
type Process struct {
	Name string

	cmd    *exec.Cmd
	output buffer
	done   chan struct{}
	err    error // of Wait; read after done is closed
}

// Start runs a program in the background. It ends by [Process.Kill] or
// [Process.Stop]: anyone who starts one sees to that.
func Start(path string, args ...string) (*Process, error) {
	p := &Process{Name: filepath.Base(path), done: make(chan struct{})}
	p.cmd = exec.Command(path, args...) // no context: it outlives them all
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Kill ends the process as a crash of the machine would and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Signal sends a signal and does not wait.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks the process to end in order and returns how it ended. After the
// time-out it is killed, which is an error.
func (p *Process) Stop(timeout time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s", p.Name, timeout)
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Output returns what the process has printed so far.
func (p *Process) Output() string { return p.output.String() }

// PID returns the number by which the system knows the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ResidentBytes returns the resident set size of the process.
func (p *Process) ResidentBytes() (int64, error) { return ResidentBytes(p.PID()) }

// PeakBytes returns the largest resident set size that the process had.
func (p *Process) PeakBytes() (int64, error) { return memory(p.PID(), "VmHWM:") }

// ResidentBytes returns the resident set size of any process.
func ResidentBytes(pid int) (int64, error) { return memory(pid, "VmRSS:") }

func memory(pid int, name string) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == name {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes * 1024, err
		}
	}
	return 0, errors.New("no resident set size is reported on this system")
}

// CPU returns the processor time that the process has used.
func (p *Process) CPU() (time.Duration, error) { return UsedCPU(p.PID()) }

// FreeAddresses returns n loopback addresses that no one listens on.
func FreeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all at the end, so that no address comes twice
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}

// buffer is a bytes.Buffer for one writer and any number of readers.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
