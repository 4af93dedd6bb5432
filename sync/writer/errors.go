package writer

import "errors"

// Errors that callers tell apart. They come wrapped, with what to do about
// them.
var (
	ErrEnvironmentExists    = errors.New("the environment exists")
	ErrEnvironmentArchived  = errors.New("the environment is archived")
	ErrEnvironmentDestroyed = errors.New("the environment is destroyed")
	ErrEnvironmentInUse     = errors.New("the environment is in use")
	ErrEnvironmentForgotten = errors.New("CONTROL does not know the environment, and its streams are in use")
	ErrForeignMessages      = errors.New("messages that no publisher signed take every place in the stream")
	ErrDifferentState       = errors.New("the documents here are not the state that was signed")
	ErrKeyRetired           = errors.New("the signing key of this publisher is not in the keys note")
	ErrLedgerCut            = errors.New("the ledger lacks a record that it had")
	ErrLogCut               = errors.New("messages are missing from the stream")
)
