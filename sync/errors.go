package flagsync

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrEnvironmentUnknown  = errors.New("unknown environment")
	ErrEnvironmentExists   = errors.New("the environment exists")
	ErrEnvironmentArchived = errors.New("the environment is archived")
	ErrEnvironmentName     = errors.New("not a name for an environment")
	ErrStreamMismatch      = errors.New("the stream has other settings than it must have")
	ErrLogCut              = errors.New("messages are missing from the stream")
	ErrStreamLost          = errors.New("the stream of a known environment is gone")
	ErrRegressed           = errors.New("the log ends before what was known of it")
	ErrForked              = errors.New("the log went another way")
	ErrIncomplete          = errors.New("a new epoch has begun, but its state is not complete yet")
	ErrOtherEpoch          = errors.New("the revision belongs to another epoch")
	ErrUnreachable         = errors.New("the log cannot be reached")
)
