package flagsync

import (
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// takenEntry is an entry and when the stream took it. The clock of the stream
// proves nothing, but of two entries with one revision in two histories it cannot
// say the same: that an answer of the leader names another time for the revision
// that both end with is a reason to look at the entry. The zero value is none.
type takenEntry struct {
	position changelog.Position
	at       time.Time // zero when it is not known
}

// compareTaken looks whether the log may end with another entry than what is held
// here, of the same revision.
func (s *following) compareTaken(e logEnd) {
	n := &s.newest
	held := e.last == n.position.Revision && n.position == s.chain.Head()
	if !held || n.at.IsZero() || e.taken.IsZero() || e.taken.Equal(n.at) || s.inquiry.active() {
		return
	}
	err := fmt.Errorf("revision %d was taken at %s, the one that is held here at %s", e.last, e.taken, n.at)
	n.at = e.taken // of the same entry, unless the leader shows another one now
	s.suspect(err)
}
