package jetstream

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrStreamMismatch = errors.New("the stream has other settings than it must have")
	ErrStreamLost     = errors.New("the stream of a known environment is gone")
	ErrUnreachable    = errors.New("the log cannot be reached")
	// ErrDiskFull means that the NATS server cannot write to its disk. Whatever is not reported as undecided was not written.
	ErrDiskFull = errors.New("the disk of the streams is full")
)
