package faultdisk

import (
	"fmt"
	"syscall"
)

func mount(dir string, size int) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("mode=0700,size=%d", size))
}

// unmount takes the disk away, also from those who still use it.
func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
