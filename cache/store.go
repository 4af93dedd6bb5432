package cache

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Options configures a [Store].
type Options struct {
	// Environment is the one whose changes are applied. It begins the names of
	// the files, so it must be usable as a file name.
	Environment string
	// Dir is where the state is kept between processes. It is created if it does
	// not exist; environments may share it, processes of one environment may
	// not. Empty means in memory only.
	Dir string
	// Keyring decides which snapshots are believed. It is required with a Dir.
	Keyring *changelog.Keyring
	// Compatibility says how a flagd file is read by [Store.LoadBootstrap].
	Compatibility eval.Compatibility
	// MaxWork is how many nodes one evaluation may visit, see [eval.NewWithin]; 0
	// means [eval.DefaultMaxWork].
	MaxWork int
	// Past is how many Views before the current one are kept for [Store.At], as far as
	// they do not take too much memory; 0 keeps none.
	Past int
	// Logger gets what is done to files. What is wrong with the disk is said by
	// [Store.Problems].
	Logger zerolog.Logger
}

// Store keeps the current [View] of one environment, in memory and on disk.
// [New] makes one. It is what a follower of the log applies changes to.
type Store struct {
	environment   string
	compatibility eval.Compatibility
	keys          *changelog.Keyring
	logger        zerolog.Logger
	most          int   // Views before the current one
	empty         *View // what every other View is made from, so that no two of them share a generation
	conditions    conditions

	view    atomic.Pointer[View]
	past    atomic.Pointer[past]
	changed atomic.Pointer[chan struct{}] // closed when view is replaced
	source  atomic.Pointer[Source]
	wake    chan struct{} // tells Run that something is to be written

	began          time.Time                 // when the store was made
	completeBefore atomic.Pointer[time.Time] // when the restored state was complete, on the monotonic clock; nil if not known
	completeStored completion                // what the directory has; guarded by writing

	// writing is held while the generations of files are replaced. It is locked
	// before mu, which is never held while a snapshot is written, except when
	// that snapshot must be on disk before its View is shown.
	writing sync.Mutex

	mu      sync.Mutex // guards everything that follows
	next    *draft     // the state that is built aside; nil if changes go to the View
	synced  bool       // whether Synced was called with anything applied
	disk    *disk      // nil in memory-only mode
	pending pending

	complete completion // of the View; zero if it never was complete
}

// New locks the files of the environment in o.Dir, and starts nothing. A
// directory that cannot be used is a condition and no error, because a sidecar
// has to serve all the same; only [ErrLocked] and unusable options are errors.
// The caller calls Close when done.
func New(o Options) (*Store, error) {
	if o.Environment == "" || o.Environment != filepath.Base(o.Environment) || !filepath.IsLocal(o.Environment) {
		return nil, fmt.Errorf("environment %q cannot be part of a file name: use a to z, 0 to 9 and '-' only", o.Environment)
	}
	if o.Dir != "" && o.Keyring == nil {
		return nil, errors.New("data directory: there are no root keys to verify what it has: give --trust-file or --credentials")
	}
	s := &Store{
		environment:   o.Environment,
		most:          o.Past,
		empty:         emptyView(o.Environment, o.MaxWork),
		compatibility: o.Compatibility,
		keys:          o.Keyring,
		logger:        o.Logger,
		wake:          make(chan struct{}, 1),
		pending:       newPending(),
		began:         time.Now(),
	}
	s.past.Store(new(past))
	s.changed.Store(new(make(chan struct{})))
	s.setSource(SourceEmpty)
	if o.Dir == "" {
		return s, nil
	}
	s.disk = &disk{dir: o.Dir, environment: o.Environment, empty: s.empty, keys: o.Keyring, create: createFile}
	if err := s.disk.acquire(); errors.Is(err, ErrLocked) {
		return nil, err
	} else if err != nil {
		s.conditions.raise(CodeDiskUnavailable, err)
	}
	return s, nil
}

// Close lets other processes use the files again. It does not write: Run does
// when its context ends, so Close comes after Run has returned.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil {
		return nil
	}
	return s.disk.release()
}

// View returns the current View, nil until the first complete state. The View
// does not change afterwards: the next state is another View.
func (s *Store) View() *View { return s.view.Load() }

// Changed returns a channel that is closed when another View takes the place of
// the current one. Take it before View, so that no change is missed.
func (s *Store) Changed() <-chan struct{} { return *s.changed.Load() }

// swap makes v the current View, of which no other is the past, and wakes those who
// wait for one. It is called with mu held.
func (s *Store) swap(v *View) {
	s.past.Store(new(past))
	s.publish(v)
}

// follow makes v the current View, which changes have made of the one before.
func (s *Store) follow(before, v *View, changes []change) {
	if s.most > 0 {
		s.past.Store(s.past.Load().keep(before, before.replacedBytes(v, changes), s.most))
	}
	s.publish(v)
}

func (s *Store) publish(v *View) {
	s.view.Store(v)
	close(*s.changed.Swap(new(make(chan struct{}))))
}

// Source returns where the current View came from.
func (s *Store) Source() Source { return *s.source.Load() }

// Problems returns what is wrong with the disk. What is wrong with documents is
// said by the rules of the View.
func (s *Store) Problems() []Condition { return s.conditions.list() }

func (s *Store) setSource(source Source) { s.source.Store(&source) }

// Position returns the place in the history up to which changes were applied,
// shown or not; zero if there is none to continue from.
func (s *Store) Position() changelog.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position()
}

// Head returns the proof of what is applied at Position, zero if nothing is.
func (s *Store) Head() changelog.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head()
}

// position is Position, with mu held.
func (s *Store) position() changelog.Position { return s.head().Position }

// head is Head, with mu held.
func (s *Store) head() changelog.Head {
	if s.next != nil {
		return s.next.head
	}
	if v := s.view.Load(); v != nil {
		return v.state.head
	}
	return changelog.Head{}
}

// StateDigest returns the digest over the documents at Position.
func (s *Store) StateDigest() changelog.Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		return s.next.freezeHashes().Digest()
	}
	if v := s.view.Load(); v != nil && !v.Position().IsZero() {
		return v.StateDigest()
	}
	return changelog.Digest{}
}
