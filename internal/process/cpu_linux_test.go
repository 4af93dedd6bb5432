package process_test

import (
	"os"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/waiting"
)

// The clock of a process counts what it works, and not how long it is there.
func TestUsedCPU(t *testing.T) {
	before, err := process.UsedCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "50 ms of work", func() bool {
		for begin := time.Now(); time.Since(begin) < 10*time.Millisecond; {
		}
		now, err := process.UsedCPU(os.Getpid())
		return err == nil && now-before > 50*time.Millisecond
	})
	if _, err := process.UsedCPU(1 << 22); err == nil { // the first number that no process has
		t.Error("a process that does not exist has used processor time")
	}
}

func TestASleepingProcessUsesNothing(t *testing.T) {
	p, err := process.Start("/bin/sleep", "60")
	if err != nil {
		t.Skip("no program that only sleeps is here")
	}
	defer p.Kill()
	before, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	after, err := p.CPU()
	if err != nil || after-before > time.Second {
		t.Errorf("it used %v while it slept: %v", after-before, err)
	}
}
