package faultdisk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flagside/flagside/internal/faultdisk"
)

func TestFullAndFree(t *testing.T) {
	t.Parallel()
	const page = 4096
	d := faultdisk.Start(t, 16*page)
	file := filepath.Join(d.Dir(), "file")
	for _, free := range []int64{0, 2 * page} {
		d.Fill(t, free)
		if err := os.WriteFile(file, make([]byte, free), 0o600); err != nil {
			t.Errorf("%d bytes were to be free: %v", free, err)
		}
		if err := os.WriteFile(file, make([]byte, free+1), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("one byte more than %d: %v", free, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		d.Free(t)
	}
	if err := os.WriteFile(file, make([]byte, 8*page), 0o600); err != nil {
		t.Error(err)
	}
}
