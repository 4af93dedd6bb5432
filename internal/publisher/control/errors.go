package control

import (
	"errors"
	"fmt"
)

// Errors of a Service that cannot carry out a command now. Nothing was written.
var (
	// ErrNotReady means that the environment was not read completely yet.
	ErrNotReady = errors.New("the publisher has not read the whole environment yet: ask again in a moment")
	// ErrUnconfirmed means that the log did not answer, so what is known may be outdated.
	ErrUnconfirmed = errors.New("the log did not confirm that this publisher is up to date: ask again in a moment")
	// ErrUnwritable means that this publisher may read the environment but not write to it now.
	ErrUnwritable = errors.New("the environment is read-only now")
	// ErrContended means that other writers were faster each time.
	ErrContended = errors.New("other writers were faster each time: ask again in a moment")
)

// Undecided is the error of a command of which it is not known whether it was written. It may still be: the Service goes on until it is
// decided, and [Service.Operation] tells what came of it.
type Undecided struct {
	OpID string // as the log will show it, if it was written
	// Cause is why it is not decided, as far as that is known: flagsync.ErrDiskFull or nil.
	Cause error
}

// Error names the op-id.
func (u *Undecided) Error() string {
	return fmt.Sprintf("it is not decided whether change %s is in the log: read again before you repeat it", u.OpID)
}
