// Package faultdisk gives tests disks that are full.
package faultdisk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flagside/flagside/internal/waiting"
)

// Full is a file that every write to fails with ENOSPC. Not every system has it.
const Full = "/dev/full"

// Disk is a small file system of its own.
type Disk struct {
	dir    string
	filler string
}

// Start mounts a file system in memory that holds so many bytes, until the test ends. Where that is not allowed, the test is skipped.
func Start(tb testing.TB, size int) *Disk {
	tb.Helper()
	dir, err := Mount(tb, size)
	if err != nil {
		tb.Skipf("a small file system cannot be mounted here: %v", err)
	}
	return dir
}

// StartForJetStream is Start for the streams of a NATS server in the process, which is restarted in place when the disk has space again. Under the
// race detector the test is skipped: the server makes its queues anew then, while requests of others may read where they are.
func StartForJetStream(tb testing.TB, size int) *Disk {
	tb.Helper()
	if waiting.RaceDetector {
		tb.Skip("nats-server has a data race when JetStream is restarted in place beside requests")
	}
	return Start(tb, size)
}

// Mount does the same and returns the error instead of skipping the test.
func Mount(tb testing.TB, size int) (*Disk, error) {
	tb.Helper()
	dir := tb.TempDir()
	if err := mount(dir, size); err != nil {
		return nil, err
	}
	tb.Cleanup(func() {
		if err := unmount(dir); err != nil {
			tb.Error(err)
		}
	})
	return &Disk{dir: dir, filler: filepath.Join(dir, "filler")}, nil
}

// Dir returns the directory that is the disk.
func (d *Disk) Dir() string { return d.dir }

// Fill leaves room for so many bytes, in whole pages.
func (d *Disk) Fill(tb testing.TB, free int64) {
	tb.Helper()
	f, err := os.Create(d.filler)
	if err != nil {
		tb.Fatal(err)
	}
	size, err := io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		tb.Fatalf("the disk is not full after %d bytes: %v", size, err)
	}
	if err := errors.Join(f.Truncate(max(size-free, 0)), f.Close()); err != nil {
		tb.Fatal(err)
	}
}

// Free undoes Fill.
func (d *Disk) Free(tb testing.TB) {
	tb.Helper()
	if err := os.Remove(d.filler); err != nil {
		tb.Fatal(err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
