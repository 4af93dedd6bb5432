package follow

import (
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// Status is what a [Follower] knows about itself at one moment. The zero value
// is that of a follower that has not begun.
type Status struct {
	Connected     bool // to NATS; proves nothing about the log
	Synced        bool // the target is complete: a confirmed head was applied once
	StreamMissing bool // the log was not there when the leader was asked last

	Applied  changelog.Position // last whole transaction handed to the target
	Received uint64             // revision of the last entry received in order
	Head     uint64             // highest revision known to exist

	LastHeartbeat time.Time     // arrival of the last heartbeat; zero before the first
	AckShare      uint32        // of the sidecars that are to acknowledge what they serve, by the last heartbeat; 0 is none
	Archived      time.Time     // when the environment was archived, by the last heartbeat; zero while it is in use
	LastConfirmed time.Time     // when everything that existed was applied for sure; zero is never
	Age           time.Duration // since LastConfirmed, on the monotonic clock
	AgeKnown      bool          // false while LastConfirmed is zero

	DifferentHistory error // the log does not continue what is applied, as its leader confirmed; [ErrRegressed], [ErrForked] and [ErrIncomplete] tell more; nil otherwise
	Hole             error // the log lacks an entry before its head; nil otherwise
	Unreadable       error // the next entry cannot be decoded, mostly because a newer publisher wrote it; nil otherwise
	DifferentState   error // the documents are not those of the publisher at the same position; nil otherwise
	LastError        error // of the last read or apply that failed; nil after one that succeeded

	Foreign flagsync.Foreign // messages that no publisher signed
	// Unsigned is how many messages a log has that was read to its end and holds no
	// entry of the installation that is trusted; 0 before, and otherwise.
	Unsigned uint64
	Ledger   changelog.Anchor // the highest record of the ledger that was named by what publishers signed
	Control  changelog.Anchor // the same of CONTROL
	Skew     time.Duration    // of the time in the last heartbeat from the clock here; negative when it is behind
	Refused  uint64           // heartbeats that were not signed, or came again

	Fragments      uint64 // interrupted transactions that were dropped
	LastFragment   string // op-id of the last of them
	Gaps           uint64 // times the feed was not contiguous
	StateTransfers uint64 // states that were taken over as a whole after the log did not continue
	Rebuilds       uint64 // states that were read from the log because they were not the one that was signed
}

// Status returns what is known now. It takes no lock and is cheap enough to be
// called for every answer.
func (f *Follower) Status() Status {
	s := *f.status.Load()
	s.Connected = f.conn.Connected()
	if s.AgeKnown = !s.LastConfirmed.IsZero(); s.AgeKnown {
		s.Age = time.Since(s.LastConfirmed)
	}
	return s
}

// Age returns how long ago everything that existed was applied for sure, on the
// monotonic clock: the arrival of a heartbeat whose head was applied, or the sending
// of a barrier that succeeded. known is false before the first of them. It takes
// no lock and does not allocate.
func (f *Follower) Age() (age time.Duration, known bool) {
	confirmed := f.status.Load().LastConfirmed
	if confirmed.IsZero() {
		return 0, false
	}
	return time.Since(confirmed), true
}

// publish makes the state visible to Status.
func (s *followLoop) publish() {
	s.current.Applied = s.applied
	s.current.Received = s.received()
	s.current.Head = s.head
	if s.received() > 0 {
		s.current.Unsigned = 0
	}
	published := s.current
	s.Follower.status.Store(&published)
}
