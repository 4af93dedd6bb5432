package flagsync

import (
	"fmt"
	"time"
)

// seenMessage is the last message of a stream that was looked at, and when the
// stream took it. The clock of the stream proves nothing, but of two messages
// with one sequence in two histories it cannot say the same: that an answer of
// the leader names another time for the sequence that both end with is a reason
// to look at the log. The zero value is none.
type seenMessage struct {
	sequence uint64
	at       time.Time // zero when it is not known
}

// compareSeen looks whether the log may end with another message than the one
// that was seen here, of the same sequence.
func (s *following) compareSeen(e logEnd) {
	n := &s.seen
	if e.last != n.sequence || n.at.IsZero() || e.taken.IsZero() || e.taken.Equal(n.at) || s.inquiry.active() {
		return
	}
	err := otherTime(e, n.at)
	n.at = e.taken // of the same message, unless the leader shows another one now
	if e.last > s.received() {
		s.lookAgain(e)
	}
	s.suspect(err)
}

func otherTime(e logEnd, seen time.Time) error {
	return fmt.Errorf("message %d was taken at %s, the one that was seen here at %s", e.last, e.taken, seen)
}

// endsUnseen reports whether a log ends with a message that was not looked at here:
// noise that only a publisher has read, or an entry that a snapshot told. That the
// sequence is the right one does not show then that the log is still the same, so that
// it makes the follower look again, once.
func (s *following) endsUnseen(e logEnd) bool {
	if e.last < s.received() || s.seen.sequence > e.last || s.lookedAgain == e {
		return false
	}
	if s.seen.sequence == e.last && (s.seen.at.IsZero() || e.taken.IsZero() || e.taken.Equal(s.seen.at)) {
		return false
	}
	s.lookAgain(e)
	return true
}

// lookAgain reads on from the last entry, and compares that first: what is behind it
// may have been replaced by a log that ends with the same sequence.
func (s *following) lookAgain(e logEnd) {
	s.lookedAgain = e
	s.judged = s.received()
	s.end = max(s.end, e.last)
	s.compare()
	s.doubted = time.Now() // what the leader was asked before says nothing
	s.fill.restart(s.doubted)
}
