package follow

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrRegressed  = errors.New("the log ends before what was known of it")
	ErrForked     = errors.New("the log went another way")
	ErrIncomplete = errors.New("a new epoch has begun, but its state is not complete yet")
	ErrOtherEpoch = errors.New("the revision belongs to another epoch")
)
