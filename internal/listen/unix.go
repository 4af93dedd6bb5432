package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/flagside/flagside/internal/ending"
)

// openUnix listens on a path. A process that does so at the same moment waits, so that no one removes a socket that was just made.
func openUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	unlock, err := lockDirectory(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if mode == 0 {
		mode = DefaultMode
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	made, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	s := &socket{Listener: l, path: path, made: made}
	s.forget = ending.AtOnce(s.removeOwn)
	return s, nil
}

// lockDirectory waits until no one else opens a socket in a directory. The lock ends with the process at the latest.
func lockDirectory(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { d.Close() }, nil
}

// socket is a listener that removes its own socket when it is closed, but not one that someone has put in its place.
type socket struct {
	net.Listener

	path   string
	made   fs.FileInfo
	remove sync.Once
	forget func()
}

// Close stops listening and removes the socket.
func (s *socket) Close() error {
	s.remove.Do(func() {
		s.removeOwn()
		s.forget()
	})
	return s.Listener.Close()
}

// removeOwn removes the socket, unless another one is in its place.
func (s *socket) removeOwn() {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		_ = os.Remove(s.path) // what stays behind is replaced by the process that listens there next
	}
}

// dialTimeout is how long the owner of a socket has to accept. The system does it for a process that is busy.
const dialTimeout = time.Second

// removeStale removes a socket that no one answers on.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket: remove it or choose another path", path)
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	c, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("another process answers on %s: stop it or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell if another process answers on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
