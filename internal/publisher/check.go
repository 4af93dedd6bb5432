package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher/keys"
	flagsync "github.com/flagside/flagside/sync"
)

// scratchPattern names the directory that Check makes where a publisher would write, and removes again.
const scratchPattern = ".flagside-check-*"

// Check tries everything that a publisher with the options begins with: files, keys, the data directory, its addresses and, if NATS is elsewhere,
// the connection. All that is missing is in the error. Nothing is kept of it: what a first start would make is made in a directory of its own,
// which is removed. With another NATS server it waits a few seconds at most.
func Check(ctx context.Context, o Options) error {
	o, err := o.complete()
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	o.Logger = zerolog.Nop() // the error says it
	var errs []error
	if o.NATS == "" {
		errs = append(errs, checkNATSAddr(ctx, o.NATSAddr))
	}
	errs = append(errs, checkCheckpointFile(o.CheckpointFile), checkStart(ctx, o))
	return errors.Join(errs...)
}

// checkStart tries New, and to connect, with a scratch directory in place of what a first start would make.
func checkStart(ctx context.Context, o Options) error {
	var s scratch
	defer s.remove()
	o, err := s.withoutTraces(o)
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	p, err := New(o)
	if err != nil {
		return err
	}
	if o.NATS != "" {
		err = flagsync.CheckConnection(ctx, p.connectOptions())
	}
	return errors.Join(err, p.Close())
}

// checkNATSAddr tries to listen where the embedded server would.
func checkNATSAddr(ctx context.Context, addr string) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("embedded NATS server: %w", listen.InUse(err, "--nats-addr"))
	}
	return l.Close()
}

// checkCheckpointFile tries whether the file can be appended to, or made.
func checkCheckpointFile(file string) error {
	if file == "" {
		return nil
	}
	opened, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0) // #nosec G304 -- the operator's file
	if err == nil {
		return opened.Close()
	}
	if errors.Is(err, os.ErrNotExist) {
		var made string
		if made, err = os.MkdirTemp(filepath.Dir(file), scratchPattern); err == nil {
			return os.Remove(made)
		}
	}
	return fmt.Errorf("checkpoint file: %w", err)
}

// scratch is what a check has made, and the data directory that it has taken. Its zero value has nothing.
type scratch struct {
	directories []string
	lock        *dataDirLock
}

// withoutTraces returns the options with scratch directories where New would make something that stays: in a data directory that is new, and
// where the admin token is not there yet.
func (s *scratch) withoutTraces(o Options) (Options, error) {
	if o.AdminTokenFile != "" && !exists(o.AdminTokenFile) {
		dir, err := s.make(filepath.Dir(o.AdminTokenFile))
		if err != nil {
			return o, fmt.Errorf("admin token file: %w", err)
		}
		o.AdminTokenFile = filepath.Join(dir, AdminTokenFile)
	}
	if o.NATS != "" {
		return o, nil
	}
	if exists(o.DataDir) {
		var err error
		if s.lock, err = o.lockDataDir(); err == nil {
			err = verifyComplete(o.DataDir)
		}
		if err != nil {
			return o, err
		}
	}
	return s.withoutData(o)
}

// withoutData moves the options to a new data directory, with the keys and the users of the other one if it has some.
func (s *scratch) withoutData(o Options) (Options, error) {
	_, err := keys.Open(o.DataDir)
	if streams := exists(filepath.Join(o.DataDir, streamsDir)); o.KeysDir == "" && (streams || !errors.Is(err, keys.ErrNoKeys)) {
		if errors.Is(err, keys.ErrNoKeys) {
			return o, fmt.Errorf("keys: %w", errStreamsWithoutKeys)
		}
		o.KeysDir = o.DataDir
	}
	if users := filepath.Join(o.DataDir, NATSUsersFile); o.NATSUsers == "" && exists(users) {
		o.NATSUsers = users
	}
	dir, err := s.make(o.DataDir)
	if err != nil {
		return o, fmt.Errorf("data directory: %w", err)
	}
	o.DataDir = dir
	return o, nil
}

// make makes a directory in another one or, as long as that is to be made too, in the one that it would be in.
func (s *scratch) make(dir string) (string, error) {
	for !exists(dir) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
	}
	made, err := os.MkdirTemp(cmp.Or(dir, "."), scratchPattern)
	if err == nil {
		s.directories = append(s.directories, made)
	}
	return made, err
}

func (s *scratch) remove() {
	for _, dir := range s.directories {
		_ = os.RemoveAll(dir) // what stays is empty or a key that was never used
	}
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
