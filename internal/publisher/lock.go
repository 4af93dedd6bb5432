package publisher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/flagside/flagside/internal/fileaccess"
)

// lockFile is held while a publisher uses a data directory, beside what JetStream keeps there.
const lockFile = "publisher.lock"

// errDataDirInUse means that a data directory is another publisher's: two servers that write the same streams would destroy them.
var errDataDirInUse = errors.New("another publisher uses the data directory: give each its own with --data-dir, or one NATS server to both with --nats")

// dataDirLock is a data directory that this process has taken.
type dataDirLock struct{ file *os.File }

// Close leaves the directory to others. Unlocking comes first: a child process that is being started holds a copy of the descriptor for a moment.
func (l *dataDirLock) Close() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}

// lockDataDir makes the data directory and takes it for this process, until the result is closed or the process ends. Others may not write to
// it, because keys, tokens and users lie there; where all of these lie elsewhere it may be the root of a volume that everybody may write to, as
// some storage classes of Kubernetes make them: what else lies there is signed, and only those see it who mount the volume.
func (o Options) lockDataDir() (*dataDirLock, error) {
	dir, verify := o.DataDir, fileaccess.VerifyDirectory
	if o.KeysDir != "" && o.NATSUsers != "" && o.AdminTokenFile != "" {
		verify = fileaccess.VerifyVolume
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := verify(dir); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) // #nosec G304 -- the operator's directory
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errDataDirInUse
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), lock.Close())
	}
	return &dataDirLock{lock}, nil
}
