package ending_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flagside/flagside/internal/ending"
)

// The environment of a process that plays a program: the file that it leaves, and whether it obeys the first signal.
const (
	ownFile = "FLAGSIDE_ENDING_FILE"
	obeys   = "FLAGSIDE_ENDING_OBEYS"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(ownFile); file != "" {
		os.Exit(ending.OnSignal(func(ctx context.Context) int { return play(ctx, file) }))
	}
	os.Exit(m.Run())
}

// play has something to remove and tells when it does not any more, or when it was told to end.
func play(ctx context.Context, file string) int {
	forgotten := ending.AtOnce(func() { _ = os.Remove(file + ".forgotten") })
	forgotten()
	ending.AtOnce(func() { _ = os.Remove(file) })
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("told")
	if os.Getenv(obeys) == "" {
		select {}
	}
	return 7
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		obeys   string
		signals []syscall.Signal
		want    string
		file    bool // whether what is removed at once is left
	}{
		"one":            {"yes", []syscall.Signal{syscall.SIGTERM}, "exit status 7", true},
		"two":            {"", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, "signal: terminated", false},
		"one of each":    {"", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, "signal: interrupt", false},
		"two from a key": {"", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, "signal: interrupt", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "file")
			for _, made := range []string{file, file + ".forgotten"} {
				if err := os.WriteFile(made, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := run(t, file, test.obeys, test.signals); got != test.want {
				t.Errorf("it ended with %s, want %s", got, test.want)
			}
			if _, err := os.Stat(file); (err == nil) != test.file {
				t.Errorf("what is to be removed at once: %v", err)
			}
			if _, err := os.Stat(file + ".forgotten"); err != nil {
				t.Errorf("what was forgotten was removed: %v", err)
			}
		})
	}
}

// run runs the process, sends it a signal after each line, and returns how it ended.
func run(t *testing.T, file, obedient string, signals []syscall.Signal) string {
	t.Helper()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), ownFile+"="+file, obeys+"="+obedient)
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, s := range signals {
		if !lines.Scan() {
			t.Fatalf("it ended early: %v", lines.Err())
		}
		if err := process.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprint(process.Wait())
}
