package publisher

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// descriptors has a link to each open file of the process.
const descriptors = "/proc/self/fd"

// openUnnamed opens a new file without a name in a directory. It fails with [errors.ErrUnsupported] where it could get none later.
func openUnnamed(dir string) (*os.File, error) {
	if !exists(descriptors) {
		return nil, errors.ErrUnsupported
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EOPNOTSUPP) { // an old kernel, or a file system that has none
		return nil, errors.ErrUnsupported
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// linkUnnamed gives a file its name, and replaces nothing.
func linkUnnamed(f *os.File, path string) error {
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("%s/%d", descriptors, f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.PathError{Op: "link", Path: path, Err: err}
	}
	return nil
}
