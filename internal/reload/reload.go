// Package reload keeps what was read from files current: it reads them again while they are in use, and keeps the last good content while they
// cannot be used.
//
// # Concurrency properties
//
// Everything may be called at any time. Reading the current content takes no lock.
package reload

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/lifecycle"
)

// ErrUnchanged is returned by Load to leave everything as it is: the content that is in use, and why a newer one is not.
var ErrUnchanged = errors.New("nothing to read again")

// Options configure a File.
type Options[T any] struct {
	// Subject names the content in log lines, such as "the file of tokens". It is required.
	Subject string
	// Interval is the time between two looks. It is required.
	Interval time.Duration
	// Load reads and parses the files. It is required, and never called twice at once.
	Load func() (T, error)
	// Equal reports whether two contents are the same; the one that is in use stays then. It is required.
	Equal func(a, b T) bool
	// Logger gets that another content is in use, and once why one cannot be used. It should name the file.
	Logger zerolog.Logger
}

// File is the content of one or several files that belong together. Make one with Open or New.
type File[T any] struct {
	options Options[T]
	current atomic.Pointer[T]
	failure atomic.Pointer[error] // of the last look; nil if there was none
	due     atomic.Int64          // when Fresh looks again, in nanoseconds since began
	began   time.Time
	looking sync.Mutex // held by a look
}

// Open loads the content for the first time, and fails if it cannot be used.
func Open[T any](o Options[T]) (*File[T], error) {
	first, err := o.Load()
	if err != nil {
		return nil, err
	}
	return New(o, first), nil
}

// New returns a file whose content was loaded already, or stands in for one that is still to be loaded.
func New[T any](o Options[T], first T) *File[T] {
	f := &File[T]{options: o, began: time.Now()}
	f.current.Store(&first)
	f.due.Store(int64(o.Interval))
	return f
}

// Current returns the last good content. It is shared, and must not be changed.
func (f *File[T]) Current() T { return *f.current.Load() }

// Err returns why the newest content is not in use, or nil.
func (f *File[T]) Err() error {
	if failure := f.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// Run looks after each interval until ctx ends, and returns nil.
func (f *File[T]) Run(ctx context.Context) error {
	return lifecycle.Every(ctx, f.options.Interval, func(context.Context) { f.Look() })
}

// Fresh returns the last good content, and looks first if the last look is an interval ago. It is for a content that nothing runs for. While one caller
// looks, the others get what there is.
func (f *File[T]) Fresh() T {
	now := int64(time.Since(f.began))
	if due := f.due.Load(); now >= due && f.due.CompareAndSwap(due, now+int64(f.options.Interval)) {
		f.Look()
	}
	return f.Current()
}

// Look loads the content once, and takes it into use if it is good.
func (f *File[T]) Look() {
	f.looking.Lock()
	defer f.looking.Unlock()
	next, err := f.options.Load()
	before := f.Err()
	switch {
	case errors.Is(err, ErrUnchanged):
	case err != nil:
		f.failure.Store(&err)
		if before == nil || before.Error() != err.Error() {
			f.options.Logger.Error().Err(err).Msg(f.options.Subject + " cannot be used, the last good content stays in use")
		}
	default:
		changed := !f.options.Equal(f.Current(), next)
		if changed {
			f.current.Store(&next)
		}
		f.failure.Store(nil)
		if changed || before != nil {
			f.options.Logger.Info().Msg("read " + f.options.Subject)
		}
	}
}
