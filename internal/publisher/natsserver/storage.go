package natsserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/lifecycle"
	flagsync "github.com/flagside/flagside/sync"
)

const (
	// probeInterval is how often a write is tried while the disk is full, and
	// probeBytes how much of it: a record of common size and what its store notes.
	probeInterval = 500 * time.Millisecond
	probeBytes    = 64 << 10
	// A disk that is full again sooner than calmAfter has the next restart wait for
	// restartMin, doubling up to restartMax.
	calmAfter  = time.Minute
	restartMin = time.Second
	restartMax = 30 * time.Second
)

// storage watches the disk of the streams. JetStream writes to a stream no more once
// a write to it has failed, not even when there is space again, and answers nothing
// to what is published. So JetStream, and nothing else of the server, is restarted in
// place as soon as a write succeeds.
type storage struct {
	dir    string
	logger zerolog.Logger
	failed chan struct{} // has room for one: a write has failed

	mu       sync.Mutex // guards what follows
	cause    error      // why writes fail; nil while they do not
	restarts uint64
}

func newStorage(o Options) *storage {
	return &storage{dir: o.StoreDir, logger: o.Logger, failed: make(chan struct{}, 1)}
}

// read takes note of what the NATS server logs as a warning or error: it tells of a
// write that has failed in no other way. It is called with locks of the server held.
func (s *storage) read(line string) {
	cause := fullDisk(line)
	if cause == nil {
		return
	}
	s.refuse(cause)
}

// probe tries a write, because the NATS server does not log every one that fails: a
// batch of which a part cannot be stored aside is only refused as incomplete.
func (s *storage) probe() {
	err := s.tryWrite()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		s.refuse(err)
	}
}

// refuse has all writes refused until JetStream was restarted.
func (s *storage) refuse(cause error) {
	s.fail(cause)
	select {
	case s.failed <- struct{}{}:
	default:
	}
}

// fullDisk returns ENOSPC or EDQUOT when a line of the NATS server says that a stream
// met it, else nil. Lines about clients do not count: they begin with the address of
// the client and have its name, which may be anything.
func fullDisk(line string) error {
	about := func(prefix string) bool { return strings.HasPrefix(line, prefix) }
	if !slices.ContainsFunc([]string{"Filestore [", "JetStream ", "Stream create failed "}, about) {
		return nil
	}
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if strings.Contains(line, cause.Error()) {
			return cause
		}
	}
	return nil
}

// fail has all writes refused from now on. The first cause stays.
func (s *storage) fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		s.cause = fmt.Errorf("%w: %s: %w: free space there or enlarge the volume, writes go on by themselves then", flagsync.ErrDiskFull, s.dir, cause)
	}
}

// failure returns why writes fail, or nil.
func (s *storage) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// run restarts JetStream after writes have failed, until ctx ends.
func (s *storage) run(ctx context.Context, nats *server.Server, opts *server.Options) {
	var pause time.Duration
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.failed:
		}
		s.logger.Error().Err(s.failure()).Msg("disk of the streams filled up: changes are refused until it has space")
		pause = nextPause(pause, time.Since(last))
		if !lifecycle.Pause(ctx, pause) || !s.awaitSpace(ctx) {
			return
		}
		s.restart(nats, opts)
		last = time.Now()
	}
}

// nextPause returns how long the next restart waits, when the last one, which waited
// for pause, is so long ago.
func nextPause(pause, ago time.Duration) time.Duration {
	if ago > calmAfter {
		return 0
	}
	return min(max(2*pause, restartMin), restartMax)
}

// awaitSpace returns true once a write has succeeded, and false when ctx ends.
func (s *storage) awaitSpace(ctx context.Context) bool {
	for s.tryWrite() != nil {
		if !lifecycle.Pause(ctx, probeInterval) {
			return false
		}
	}
	return ctx.Err() == nil
}

// tryWrite writes a file and removes it.
func (s *storage) tryWrite() error {
	f, err := os.Create(filepath.Join(s.dir, ".space")) // the same again after a crash
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// restart stops and starts JetStream. Connections, accounts and the port stay. When it
// fails, or a write has failed meanwhile, it is tried again.
func (s *storage) restart(nats *server.Server, opts *server.Options) {
	select {
	case <-s.failed: // before this restart
	default:
	}
	err := nats.ShutdownJetStream()
	if err == nil {
		err = nats.EnableJetStream(jetStreamConfig(opts))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts++
	if err != nil {
		s.logger.Error().Err(err).Msg("JetStream not restarted, trying again")
		select {
		case s.failed <- struct{}{}:
		default:
		}
		return
	}
	s.logger.Warn().Uint64("restarts", s.restarts).Msg("JetStream restarted in place: its disk has space again")
	if len(s.failed) == 0 {
		s.cause = nil
	}
}

// jetStreamConfig returns what a NATS server makes of its options when it starts.
func jetStreamConfig(o *server.Options) *server.JetStreamConfig {
	return &server.JetStreamConfig{
		StoreDir: o.StoreDir, SyncInterval: o.SyncInterval, SyncAlways: o.SyncAlways, Strict: !o.NoJetStreamStrict,
		MaxMemory: o.JetStreamMaxMemory, MaxStore: o.JetStreamMaxStore, Domain: o.JetStreamDomain, CompressOK: true,
	}
}

// StorageError returns why the streams cannot be written now, [flagsync.ErrDiskFull],
// or nil. It ends by itself once there is space.
func (s *Server) StorageError() error { return s.storage.failure() }

// ProbeStorage tries a write to the disk of the streams, for [Server.StorageError] to
// tell what came of it.
func (s *Server) ProbeStorage() { s.storage.probe() }

// StorageRestarts returns how many times JetStream was restarted in place.
func (s *Server) StorageRestarts() uint64 {
	s.storage.mu.Lock()
	defer s.storage.mu.Unlock()
	return s.storage.restarts
}

// FreeShare returns which share of the volume of the streams is free, 0 to 1. It is
// unknown where the system does not tell.
func (s *Server) FreeShare() (share float64, known bool) { return freeShare(s.storage.dir) }
