package cores_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flagside/flagside/bench/cores"
)

// The process has the core, and this one has its own.
func TestCores(t *testing.T) {
	here, server, err := cores.Split()
	if errors.Is(err, cores.ErrOne) {
		t.Skip(err)
	}
	if err != nil || here == server {
		t.Fatalf("cores %d and %d, %v", here, server, err)
	}
	sleep := exec.Command("sleep", "60")
	if err := server.Start(sleep.Start); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Wait() }()
	defer func() { _ = sleep.Process.Kill() }()
	if ok, err := server.Has(sleep.Process.Pid); err != nil || !ok {
		t.Errorf("the process does not have core %d: %v", server, err)
	}
	if ok, err := here.Has(os.Getpid()); err != nil || !ok {
		t.Errorf("the test does not have core %d: %v", here, err)
	}
	var set unix.CPUSet // of this thread, which may be the one that started the process
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.IsSet(int(server)) {
		t.Errorf("the thread has the server's core: %v", err)
	}
}
