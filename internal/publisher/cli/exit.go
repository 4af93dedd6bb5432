package cli

import (
	"errors"
)

// The exit codes of commands that ask the API.
const (
	exitFailure     = 1
	exitRefused     = 3
	exitConflict    = 4
	exitNotFound    = 5
	exitUndecided   = 6
	exitApproval    = 7
	exitUnavailable = 8
	exitInvalid     = 9
	exitIncomplete  = 10
	exitNotServed   = 11
)

// Meaning is an exit code and what it means.
type Meaning struct {
	Code int
	Text string
}

// ExitCodes returns all exit codes with their meaning, for the documentation.
func ExitCodes() []Meaning {
	return []Meaning{
		{0, "done"},
		{exitFailure, "failed in a way that no other code tells"},
		{2, "the command line makes no sense; nothing was asked"},
		{exitRefused, "not permitted: no valid token, or policies deny it"},
		{exitConflict, "something has changed since it was read, exists already, or is in no state for it: read it again"},
		{exitNotFound, "it does not exist"},
		{exitUndecided, "undecided: the change may or may not be written; `flagside operation get`, or the same again as the message says"},
		{exitApproval, "others have to approve it: open a change request, with `--propose`"},
		{exitUnavailable, "the publisher does not answer, or cannot do it now; nothing was written: try again"},
		{exitInvalid, "what was sent is wrong: a document that cannot be evaluated, or a malformed value"},
		{exitIncomplete, "`flagside audit verify`: what is there is proved, but parts of the history are lost or not proved"},
		{exitNotServed, "`flagside wait`, `flagside kill` and `--wait`: the change is made, and not every sidecar served it in time, or that is not known; the message says which"},
	}
}

// ExitCode returns the exit code for the error of an [commandline.Invocation], 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return exitFailure
}
