package following

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
)

// State says how far a source is.
type State string

// The states.
const (
	// Starting means that the source was not read yet.
	Starting State = "starting"
	// Applied means that the environment is as the source says.
	Applied State = "applied"
	// Waiting means that a change request waits for approvals.
	Waiting State = "waiting-for-approval"
	// Delayed means that the environment cannot be changed now, or is not there. It is tried again.
	Delayed State = "delayed"
	// Broken means that the source has mistakes.
	Broken State = "broken"
	// Missing means that the source cannot be read, or is empty.
	Missing State = "missing"
	// Conflict means that the environment is as the source says but for documents that others have.
	Conflict State = "conflict"
	// Behind means that another publisher has taken up a version that this one does not see yet.
	Behind State = "behind"
	// Refused means that policies do not permit what the source wants, or that its change request was rejected.
	Refused State = "refused"
)

// States returns all states.
func States() []State {
	return []State{Starting, Applied, Waiting, Delayed, Broken, Missing, Conflict, Behind, Refused}
}

// level returns the level at which the beginning of a state is logged.
func (s State) level() zerolog.Level {
	switch s {
	case Broken, Missing, Conflict, Refused:
		return zerolog.WarnLevel
	case Starting, Applied, Waiting, Delayed, Behind:
	}
	return zerolog.InfoLevel
}

// Patience is how long a source may be behind before that is worth telling an operator: mounts are updated at different times.
const Patience = 2 * time.Minute

// Status says how a source is followed.
type Status struct {
	Spec

	State State
	// Since is when the state began.
	Since time.Time
	// Detail says what exactly is wrong; it may have several lines.
	Detail string
	// Request is the change request that waits, or was rejected.
	Request string
	// Version is what was read last: a commit, or another short name of it.
	Version string
	// Applied is when the environment was found as the source says last; zero if it never was.
	Applied time.Time
	// Owned is how many documents the source owns.
	Owned int
	// Conflicts are the documents that others have, and ConflictDetail says who.
	Conflicts      []document.ID
	ConflictDetail string
}

// sameState reports whether a source is as far as before, for the same reason.
func (s Status) sameState(other Status) bool {
	return s.State == other.State && s.Detail == other.Detail && s.Request == other.Request && s.ConflictDetail == other.ConflictDetail
}
