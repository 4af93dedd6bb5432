package cache

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/flagside/flagside/sync/changelog"
)

// The files of an environment, each named "<environment>.<suffix>". A tail
// continues the snapshot of the same generation.
const (
	snapshotFile         = "snapshot"
	snapshotPreviousFile = "snapshot.previous"
	tailFile             = "tail"
	tailPreviousFile     = "tail.previous"
	lastGoodFile         = "last-good" // see lastGood
	completeFile         = "complete"  // see completion
	lockFile             = "lock"
	unfinished           = ".new" // added to the name of a file that is being written
)

// ErrLocked is returned when another process uses the files of the environment.
var ErrLocked = errors.New("another process uses the data directory for this environment; give each sidecar its own")

// disk is the directory with the files of one environment. It has no lock of
// its own: see [Store].
type disk struct {
	dir         string
	environment string
	empty       *View // see [Store]
	keys        *changelog.Keyring
	lock        *os.File // nil while the directory cannot be written
	tail        *os.File // what changes are appended to; nil if there is none
	tailSize    int64

	create func(path string) (*os.File, error) // makes a file that is written; tests replace it
}

// acquire creates the directory and locks the files of the environment. It
// returns [ErrLocked] when another process has them.
func (d *disk) acquire() error {
	if d.lock != nil {
		return nil
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	lock, err := os.OpenFile(d.path(lockFile), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("%s: %w", d.path(lockFile), ErrLocked)
		}
		return fmt.Errorf("data directory: lock %s: %w", d.path(lockFile), err)
	}
	d.lock = lock
	return nil
}

// release closes the files. The lock is given up before its descriptor, of which a
// child process that is being started may hold a copy. The file stays, because
// removing it would let two processes lock two files of that name.
func (d *disk) release() error {
	d.closeTail()
	if d.lock == nil {
		return nil
	}
	err := errors.Join(syscall.Flock(int(d.lock.Fd()), syscall.LOCK_UN), d.lock.Close())
	d.lock = nil
	return err
}

func (d *disk) path(suffix string) string {
	return filepath.Join(d.dir, d.environment+"."+suffix)
}

// writeSnapshot makes v the newest generation, and what was the newest the
// previous one.
func (d *disk) writeSnapshot(v *View) error {
	if err := d.writeLastGood(v); err != nil {
		return err
	}
	if err := d.write(snapshotFile, v.Write); err != nil {
		return err
	}
	if err := d.rename(snapshotFile, snapshotPreviousFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.publish(snapshotFile)
}

// write writes a file beside the one that it is to replace and waits until it
// is on the disk; publish puts it in its place.
func (d *disk) write(suffix string, content func(io.Writer) error) error {
	path := d.path(suffix) + unfinished
	f, err := d.create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	err = errors.Join(content(out), out.Flush())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// createFile makes a file that is not there yet, in the place of one that was
// left unfinished. A link that was put there is not followed.
func createFile(path string) (*os.File, error) {
	if err := syscall.Unlink(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

func (d *disk) publish(suffix string) error {
	if err := d.rename(suffix+unfinished, suffix); err != nil {
		return err
	}
	return d.syncDirectory()
}

// replace puts a small file in the place of another. It does not wait for the
// disk: what a crash of the machine leaves may be either of them, or neither.
func (d *disk) replace(suffix string, data []byte) error {
	path := d.path(suffix) + unfinished
	f, err := d.create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path)
		return err
	}
	return d.rename(suffix+unfinished, suffix)
}

func (d *disk) rename(from, to string) error {
	return os.Rename(d.path(from), d.path(to))
}

func (d *disk) syncDirectory() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// startTail begins a tail after a snapshot at the position that the header
// names, with the records that came since. Until it has succeeded, the tail
// before it stays in use: it leads to the same state.
func (d *disk) startTail(data []byte) error {
	path := d.path(tailFile) + unfinished
	f, err := d.create(path)
	if err != nil {
		return err
	}
	if err := d.installTail(f, data); err != nil {
		_ = f.Close()
		_ = os.Remove(path) // it takes room that may be missing
		return err
	}
	d.closeTail()
	d.tail, d.tailSize = f, int64(len(data))
	return nil
}

func (d *disk) installTail(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := d.rename(tailFile, tailPreviousFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.rename(tailFile+unfinished, tailFile)
}

// continueTail opens the tail to append at an offset, and drops what is behind.
func (d *disk) continueTail(offset int64) error {
	f, err := os.OpenFile(d.path(tailFile), os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Seek(offset, io.SeekStart)
	if err = errors.Join(err, f.Truncate(offset)); err != nil {
		_ = f.Close()
		return err
	}
	d.tail, d.tailSize = f, offset
	return nil
}

// appendTail appends records. When it fails, the tail is closed: what would
// come next could not be read after a gap.
func (d *disk) appendTail(data []byte) error {
	if _, err := d.tail.Write(data); err != nil {
		_ = d.tail.Truncate(d.tailSize) // a torn record is recognised anyway
		d.closeTail()
		return err
	}
	d.tailSize += int64(len(data))
	return nil
}

func (d *disk) closeTail() {
	if d.tail != nil {
		_ = d.tail.Close() // nothing is buffered
		d.tail, d.tailSize = nil, 0
	}
}
