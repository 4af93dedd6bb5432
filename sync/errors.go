package flagsync

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrEnvironmentUnknown   = errors.New("unknown environment")
	ErrEnvironmentExists    = errors.New("the environment exists")
	ErrEnvironmentArchived  = errors.New("the environment is archived")
	ErrEnvironmentDestroyed = errors.New("the environment is destroyed")
	ErrEnvironmentInUse     = errors.New("the environment is in use")
	ErrEnvironmentForgotten = errors.New("CONTROL does not know the environment, and its streams are in use")
	ErrEnvironmentName      = errors.New("not a name for an environment")
	ErrStreamMismatch       = errors.New("the stream has other settings than it must have")
	ErrStreamLost           = errors.New("the stream of a known environment is gone")
	ErrRegressed            = errors.New("the log ends before what was known of it")
	ErrForked               = errors.New("the log went another way")
	ErrIncomplete           = errors.New("a new epoch has begun, but its state is not complete yet")
	ErrOtherEpoch           = errors.New("the revision belongs to another epoch")
	ErrForeignMessages      = errors.New("messages that no publisher signed take every place in the stream")
	ErrDifferentState       = errors.New("the documents here are not the state that was signed")
	ErrKeyRetired           = errors.New("the signing key of this publisher is not in the keys note")
	ErrJournalCut           = errors.New("the ledger lacks a record that it had")
	ErrLogCut               = errors.New("messages are missing from the stream")
	ErrUnreachable          = errors.New("the log cannot be reached")
	// ErrDiskFull means that the NATS server cannot write to its disk. Whatever is not reported as undecided was not written.
	ErrDiskFull = errors.New("the disk of the streams is full")
)
