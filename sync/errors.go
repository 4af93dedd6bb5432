package flagsync

import (
	"errors"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrEnvironmentUnknown = errors.New("unknown environment")
	ErrEnvironmentName    = errors.New("invalid environment name")

	ErrUnreachable    = jetstream.ErrUnreachable    // the log cannot be reached
	ErrStreamLost     = jetstream.ErrStreamLost     // the stream of a known environment is gone
	ErrStreamMismatch = jetstream.ErrStreamMismatch // the stream has other settings than it must have
	// ErrDiskFull means that the NATS server cannot write to its disk. Whatever is not reported as undecided was not written.
	ErrDiskFull = jetstream.ErrDiskFull
)
