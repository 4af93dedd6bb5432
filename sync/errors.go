package flagsync

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrEnvironmentUnknown = errors.New("unknown environment")
	ErrEnvironmentName    = errors.New("not a name for an environment")
)
