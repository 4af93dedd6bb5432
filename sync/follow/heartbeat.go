package follow

import (
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Beats come once a second. After a longer silence the next ones may have waited
// in a socket that had stalled, and would call old news fresh: a barrier that is
// sent after that must succeed first. So may all of them in one that lets things
// through slowly, which the answers to pings show.
const (
	stalledAfter = 2500 * time.Millisecond
	stalledAsk   = 500 * time.Millisecond // within which the leader is asked; jittered
)

// heartbeatQueue is how many heartbeats wait while the target is busy, about a minute of
// them.
const heartbeatQueue = 64

// heartbeatState is about what heartbeats say.
type heartbeatState struct {
	queue   chan arrival
	log     changelog.HeartbeatLog
	budget  failureBudget
	stalled time.Time          // when a heartbeat came after a silence; only later proof counts
	beginAt epochBegin         // of the newest epoch
	named   changelog.Position // that was taken for noise here
	denied  changelog.Link     // an entry of ours that a heartbeat takes for noise; zero is none
}

// arrival is a heartbeat, and when it came.
type arrival struct {
	message jetstream.Message
	at      time.Time
}

// queueHeartbeat takes note of a heartbeat and of the moment: a target that is busy must not
// make it younger. Nothing waits for room, or later ones would come later.
func (s *followLoop) queueHeartbeat(m jetstream.Message) {
	select {
	case s.heartbeat.queue <- arrival{message: m, at: time.Now()}:
	default: // the next one says the same
	}
}

// onHeartbeat takes a heartbeat. The highest head of our own epoch counts; a lower one
// is old news. Only what a publisher signed, and what has not come before, counts
// at all.
func (s *followLoop) onHeartbeat(a arrival) {
	now := a.at
	h, ok := s.openHeartbeat(a)
	if !ok {
		s.current.Refused++
		return
	}
	if now.Sub(s.lastHeartbeat()) > stalledAfter {
		s.heartbeat.stalled = now
		s.onLeader(now)
	}
	if now.Sub(s.ping.answered) > lateAfter {
		s.heartbeat.stalled = now
	}
	s.current.LastHeartbeat, s.current.Archived, s.current.AckShare = now, h.Archived, h.Acks
	s.current.Skew = time.Until(h.Time) // a wall clock: for people
	switch {
	case s.barriers.urgent:
	case s.current.LastConfirmed.Before(s.heartbeat.stalled):
		s.barriers.urgent = true
		s.barriers.ownAt = later(now, s.current.LastConfirmed.Add(stalledAfter)).Add(jetstream.Jitter(0, stalledAsk))
	case now.Sub(s.current.LastConfirmed) < s.timing.HeartbeatTimeout:
		s.barriers.ownAt = s.withoutHeartbeat()
	default: // heartbeats keep naming what is not here yet: only the leader can say what was here when
	}
	s.noteAnchors(h.Ledger, h.Control)
	ours := s.judge.Head()
	switch {
	case ours.IsZero():
		s.head, s.end, s.heartbeat.beginAt = max(s.head, h.Position.Revision), max(s.end, h.End), beginOf(h)
	case h.Position.Epoch == ours.Epoch:
		s.heartbeat.beginAt = beginOf(h)
		s.onHeartbeatOfOurs(h, now)
	case h.Position.Epoch.Later(ours.Epoch):
		s.heartbeat.beginAt = beginOf(h)
		s.checkDivergence(fmt.Errorf("a heartbeat names epoch %s, ours is %s", h.Position.Epoch.Short(), ours.Epoch.Short()))
	}
}

func beginOf(h changelog.Heartbeat) epochBegin {
	return epochBegin{epoch: h.Position.Epoch, revision: h.Begin}
}

// openHeartbeat returns a heartbeat that counts.
func (s *followLoop) openHeartbeat(a arrival) (changelog.Heartbeat, bool) {
	if s.heartbeat.budget.left(time.Now()) == 0 {
		return changelog.Heartbeat{}, false
	}
	h, err := changelog.DecodeHeartbeat(s.conn.Keyring(), s.environment, a.message.Data, changelog.Signature(a.message.Proof))
	if err != nil {
		s.heartbeat.budget.spent++
		return changelog.Heartbeat{}, false
	}
	return h, s.heartbeat.log.IsNews(h)
}

func (s *followLoop) onHeartbeatOfOurs(h changelog.Heartbeat, now time.Time) {
	if err := s.judge.Compare(h.Position); err != nil {
		s.heartbeat.denied = s.judge.After(h.Position.Revision - 1)
		s.checkDivergence(err)
		return
	}
	if s.contradicted(h) || h.Position.Revision < s.head {
		return
	}
	s.head, s.end = h.Position.Revision, max(s.end, h.End)
	if s.judge.Head() != h.Position || s.unproved {
		return // the fill that this starts does not make it younger
	}
	s.judged = max(s.judged, h.End) // the publisher has looked at what is behind
	s.judge.Reassure(h.End)
	s.noteForeignEnd()
	if s.end > s.judged {
		return // it is older than what is known
	}
	if s.applied == h.Position && !s.current.LastConfirmed.Before(s.heartbeat.stalled) {
		s.confirmed(now)
	}
}

// contradicted reports whether a heartbeat takes for an entry what is noise here, or
// the other way round, and begins to find out who is right.
func (s *followLoop) contradicted(h changelog.Heartbeat) bool {
	named, ours := h.Position.Revision, s.received()
	e := logEnd{last: named}
	switch {
	case named > ours && named <= s.judged && !s.unproved && s.seen.lookedAgain != e:
		s.lookAgain(e)
	case named > ours && named <= s.judged && !s.unproved:
		s.heartbeat.named = h.Position
		s.checkDivergence(fmt.Errorf("a heartbeat names revision %d, which is no signed entry here", named))
		return true
	case named < ours && ours <= h.End:
		s.heartbeat.denied = s.judge.After(named)
		s.checkDivergence(fmt.Errorf("a heartbeat names revision %d as the last up to %d, revision %d is one here", named, h.End, ours))
		return true
	}
	return false
}
