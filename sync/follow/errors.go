package follow

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrRegressed  = errors.New("the log ends before the revision that is known here")
	ErrForked     = errors.New("the log has other entries than are known here")
	ErrIncomplete = errors.New("a new epoch has begun, but its state is not complete yet")
	ErrOtherEpoch = errors.New("the revision belongs to another epoch")
)
