package follow

import (
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
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

// seenState is about messages that may be others than those that were read.
type seenState struct {
	last        seenMessage     // the last message of the stream that was looked at
	lookedAgain logEnd          // for which what is behind the last entry was read again
	newEpochAt  uint64          // revision of a new epoch that was met; 0 is none
	reread      *changelog.Link // after which the stream was read again because an entry seemed to be missing; nil is nowhere
}

// installed forgets what was seen before the state was replaced.
func (n *seenState) installed() {
	n.last, n.reread, n.newEpochAt = seenMessage{}, nil, 0
}

// compareSeen looks whether the log may end with another message than the one
// that was seen here, of the same sequence.
func (s *followLoop) compareSeen(e logEnd) {
	n := &s.seen.last
	if e.last != n.sequence || n.at.IsZero() || e.storedAt.IsZero() || e.storedAt.Equal(n.at) || s.divergence.active() {
		return
	}
	if s.seen.lookedAgain == e {
		n.at = e.storedAt // a store that was restored may not remember it
		return
	}
	err := otherTime(e, n.at)
	n.at = e.storedAt // of the same message, unless the leader shows another one now
	if e.last > s.received() {
		s.lookAgain(e)
	}
	s.checkDivergence(err)
}

func otherTime(e logEnd, seen time.Time) error {
	return fmt.Errorf("message %d was stored at %s, and the one seen here at %s", e.last, e.storedAt, seen)
}

// endsUnseen reports whether a log ends with a message that was not looked at here:
// noise that only a publisher has read, or an entry that a snapshot told. That the
// sequence is the right one does not show then that the log is still the same, so that
// it makes the follower look again, once.
func (s *followLoop) endsUnseen(e logEnd) bool {
	if e.last < s.received() || s.seen.last.sequence > e.last || s.seen.lookedAgain == e {
		return false
	}
	if s.seen.last.sequence == e.last && (s.seen.last.at.IsZero() || e.storedAt.IsZero() || e.storedAt.Equal(s.seen.last.at)) {
		return false
	}
	s.lookAgain(e)
	return true
}

// lookAgain is called when an answer names a message that was not looked at, or looked
// different: another log may have taken the place of the one that was read.
func (s *followLoop) lookAgain(e logEnd) {
	s.seen.lookedAgain = e
	s.compare()
	s.end = max(s.end, e.last)
	s.link.doubted = time.Now() // what the leader was asked before says nothing
	s.fill.restart(s.link.doubted)
}

// compare makes the next read begin with the last entry, if there is one, and compare
// it. What is behind it, and what was put aside, may be of another log.
func (s *followLoop) compare() {
	s.fill.verify = s.received() > 0
	s.fill.doubts++
	s.judged, s.seen.last = s.received(), seenMessage{}
	s.judge.Settle(0)
	s.unproved = false
	s.feed.clear()
}
