package flagsync

import (
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// Status is what a [Follower] knows about itself at one moment.
type Status struct {
	Connected     bool // to NATS; proves nothing about the log
	Synced        bool // the target is complete: a confirmed head was applied once
	StreamMissing bool // the log was not there when it was asked last

	Applied  changelog.Position // last whole transaction handed to the target
	Received uint64             // revision of the last entry received in order
	Head     uint64             // highest revision known to exist

	LastBeat      time.Time     // arrival of the last beat; zero before the first
	LastConfirmed time.Time     // when everything that existed was applied for sure; zero is never
	Age           time.Duration // since LastConfirmed, on the monotonic clock
	AgeKnown      bool          // false while LastConfirmed is zero

	DifferentHistory error // the log does not continue what is applied; nil otherwise
	Hole             error // the log lacks entries before its head; nil otherwise
	LastError        error // of the last read or apply that failed; nil after one that succeeded

	Fragments uint64 // interrupted transactions that were dropped
	Gaps      uint64 // times the feed was not contiguous
}

// Status returns what is known now. It takes no lock.
func (f *Follower) Status() Status { return Status{} }
