package follow

import (
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// feedFailures is how many signatures of what was not asked for may fail to fit in
// a second, about a hundredth of a core. What comes after that is not looked at;
// reads of the stream repair it.
const feedFailures = 100

// feedState is about what the feed brings.
type feedState struct {
	messages chan jetstream.Message
	budget   failureBudget                        // of signatures that do not fit
	last     seenMessage                          // the last candidate
	buffer   map[changelog.Link]jetstream.Message // signed entries above what was received, by the one before each
	bytes    int                                  // of the buffer
}

// failureBudget bounds the work that forged messages make.
type failureBudget struct {
	second time.Time
	spent  int
}

// left returns how many failures the current second still bears.
func (b *failureBudget) left(now time.Time) int {
	if now.Sub(b.second) >= time.Second {
		b.second, b.spent = now, 0
	}
	return max(feedFailures-b.spent, 0)
}

// onMessage takes a message of the feed, and those that have come meanwhile. The feed
// is anybody's who is in the account of the environment: nothing of it counts
// before a signature, and what is noise in it tells nothing about the stream.
func (s *followLoop) onMessage(m jetstream.Message) {
	for range feedDrain {
		s.take(m)
		select {
		case m = <-s.feed.messages:
			continue
		default:
		}
		break
	}
	s.settleFeed()
}

func (s *followLoop) take(m jetstream.Message) {
	if s.feed.budget.left(time.Now()) == 0 {
		return
	}
	before := s.judge.Failures()
	defer func() { s.feed.budget.spent += int(s.judge.Failures() - before) }()
	if s.blocked() || s.unproved {
		s.takeAhead(m)
		return
	}
	verdict, r := s.judge.Offer(m.Entry(s.environment))
	switch verdict {
	case changelog.Candidate:
		s.feed.last = seenMessage{m.Sequence, m.StoredAt}
	case changelog.Ahead:
		if !s.fill.active() && !s.divergence.active() {
			s.current.Gaps++
			s.fill.restart(time.Now())
		}
		s.keep(m, r)
	case changelog.Noise, changelog.Past:
	default:
		s.settleFeed()
		s.checkDivergence(s.contradiction(verdict, m, r))
	}
}

// takeAhead takes note of a signed entry that cannot be judged now.
func (s *followLoop) takeAhead(m jetstream.Message) {
	r, err := s.conn.Keyring().OpenEntry(s.environment, m.Entry(s.environment))
	switch {
	case errors.Is(err, changelog.ErrUnsigned):
		s.feed.budget.spent++
	case err == nil:
		s.keep(m, r)
	}
}

// settleFeed proves what the feed has brought, and goes on with what was put
// aside.
func (s *followLoop) settleFeed() {
	if s.unproved || s.blocked() {
		return
	}
	before := s.judge.Failures()
	accepted := s.judge.Settle(s.feed.budget.left(time.Now()))
	s.feed.budget.spent += int(s.judge.Failures() - before)
	s.accept(accepted)
	if s.feed.last.sequence == s.received() {
		s.seen.last = s.feed.last
	}
	s.acceptKept()
}

// contradiction says what a signed entry that is no candidate tells about the
// log.
func (s *followLoop) contradiction(v changelog.Verdict, m jetstream.Message, r changelog.Record) error {
	switch v {
	case changelog.EpochReplaced:
		s.seen.newEpochAt = r.Revision
		return errNewEpoch
	case changelog.Unreadable:
		return s.conn.Unreadable(s.environment, m)
	default:
		return s.differs(r)
	}
}

// keep puts a signed entry aside until what is missing before it has come.
func (s *followLoop) keep(m jetstream.Message, r changelog.Record) {
	s.end = max(s.end, m.Sequence)
	_, held := s.feed.buffer[r.Prev]
	if held || len(s.feed.buffer) >= bufferEntries || s.feed.bytes+len(m.Data) > bufferBytes {
		return
	}
	s.feed.buffer[r.Prev] = m
	s.feed.bytes += len(m.Data)
}

// acceptKept goes on with the entries put aside that continue what was received.
func (s *followLoop) acceptKept() {
	for {
		before := s.judge.Head().Link()
		m, ok := s.feed.buffer[before]
		if !ok {
			return
		}
		s.feed.remove(before)
		s.judge.Offer(m.Entry(s.environment))
		s.accept(s.judge.Settle(-1))
		if s.judge.Head().Link() == before {
			return
		}
		s.seen.last = seenMessage{m.Sequence, m.StoredAt}
	}
}

// remove drops the entry put aside behind another one, if there is one.
func (f *feedState) remove(before changelog.Link) {
	if kept, ok := f.buffer[before]; ok {
		delete(f.buffer, before)
		f.bytes -= len(kept.Data)
	}
}

// clear drops the entries put aside.
func (f *feedState) clear() {
	clear(f.buffer)
	f.bytes = 0
}

// accept moves the received cursor on by entries that are proved.
func (s *followLoop) accept(records []changelog.Record) {
	for _, r := range records {
		s.feed.remove(r.Prev)
		s.noteForeign(r)
		s.judged = max(s.judged, r.Revision)
		s.head, s.end = max(s.head, r.Revision), max(s.end, r.Revision)
		s.noteAnchors(r.Ledger, r.Control)
		s.fill.still = time.Time{}
		s.assemble(r)
	}
}

func (s *followLoop) assemble(r changelog.Record) {
	transaction, err := s.assembler.Add(r)
	if errors.Is(err, changelog.ErrFragment) {
		s.fragment(r, err)
	}
	s.openOp = ""
	switch {
	case transaction != nil:
		s.ready = append(s.ready, transaction)
	case err == nil || r.Index == 1:
		s.openOp = r.OpID
	}
}

// fragment counts an interrupted transaction, once for all of its entries.
func (s *followLoop) fragment(r changelog.Record, err error) {
	op := s.openOp
	if op == "" {
		op = r.OpID
	}
	if op == s.current.LastFragment {
		return
	}
	s.current.LastFragment = op
	s.current.Fragments++
	s.logger.Warn().Err(err).Str("op", op).Msg("incomplete transaction dropped")
}
