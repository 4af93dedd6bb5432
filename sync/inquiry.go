package flagsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

var (
	errUnreadable = errors.New("an entry cannot be read here")
	errHole       = errors.New("the log has a hole")
)

// regressLimit is how long the leader of a cluster may name a head below ours
// before it counts: one that was just elected may not have applied its own log
// yet. A single server is believed at once.
const regressLimit = 2 * time.Second

// inquiryState is about a suspicion against the log: what a replica, the feed
// or a beat says does not fit, and the leader is asked.
type inquiryState struct {
	about     error     // nil when there is none
	charge    error     // what the leader confirmed last
	at        time.Time // when the leader is asked next
	running   bool
	retry     time.Duration
	regressed time.Time // since when the leader names a head below ours
}

// active reports whether reading stands still until the leader has answered.
func (i *inquiryState) active() bool { return i.about != nil }

// suspect begins an inquiry unless one is under way.
func (s *following) suspect(err error) {
	if s.inquiry.active() {
		return
	}
	s.log.Debug().Err(err).Msg("the log is not as expected, asking the leader")
	s.inquiry = inquiryState{about: err, at: time.Now()}
}

// scheduleInquiry asks the leader when it is due, and returns when that is.
func (s *following) scheduleInquiry(now time.Time) time.Time {
	i := &s.inquiry
	if i.about == nil || i.running || s.takeover.running {
		return time.Time{}
	}
	if now.Before(i.at) {
		return i.at
	}
	i.running = true
	held := s.chain.Head()
	s.work(func(ctx context.Context) func() {
		t := s.conn.testify(ctx, s.environment, held)
		return func() { s.heard(held, t) }
	})
	return time.Time{}
}

// testimony is what the leader says about the log around a position.
type testimony struct {
	asked     time.Time
	held      changelog.Position
	last      uint64            // revision the log ends with
	begin     *changelog.Record // the newest epoch entry, looked up when there is a charge
	missing   uint64            // revision of the entry that is missing; 0 is none
	clustered bool
	regressed bool           // the log ends below the position
	different error          // another entry stands at the position
	hole      error          // an entry is missing at or right after the position
	next      *storedMessage // the entry after the position, if there is one
	err       error          // the leader could not be asked
}

// testify asks the leader about the log around a position, and where its epoch
// begins if it does not continue the position.
func (c *Conn) testify(ctx context.Context, environment string, held changelog.Position) testimony {
	t := c.testifyTo(ctx, flagsStream(environment), held)
	if t.err != nil || t.last == 0 || t.different == nil && t.hole == nil && !t.renewed() {
		return t
	}
	begin, err := c.newestEpoch(ctx, environment)
	switch {
	case err == nil:
		t.begin = &begin
	case !errors.Is(err, errNoMessage):
		t.err = err
	}
	return t
}

// sameEpoch says more about a charge if the log claims to be in the epoch that
// is known.
func (t *testimony) sameEpoch(charge error) error {
	switch {
	case !errors.Is(charge, changelog.ErrDifferentHistory) || t.begin != nil && t.begin.Epoch != t.held.Epoch:
		return charge
	case t.regressed:
		return fmt.Errorf("%w: %w", ErrRegressed, charge)
	default:
		return fmt.Errorf("%w: %w", ErrForked, charge)
	}
}

// renewed reports whether the next entry does not simply continue the state.
func (t *testimony) renewed() bool {
	if t.next == nil {
		return false
	}
	r, err := t.next.record()
	return err == nil && (r.Renews() || r.Prev != t.held.Digest)
}

func (c *Conn) testifyTo(ctx context.Context, stream string, held changelog.Position) testimony {
	asked := time.Now()
	info, err := c.info(ctx, stream)
	if err == nil {
		err = info.verifyLease()
	}
	if err != nil {
		return testimony{err: err}
	}
	t := testimony{asked: asked, held: held, last: info.State.LastSequence, clustered: len(info.Cluster.Replicas) > 0}
	if t.last < held.Revision {
		t.regressed = true
		t.different = fmt.Errorf("the log ends at revision %d, revision %d is applied here: %w",
			t.last, held.Revision, changelog.ErrDifferentHistory)
		return t
	}
	if held.Revision > 0 {
		m, err := c.message(ctx, stream, held.Revision)
		if t.lacks(held.Revision, err) {
			return t
		}
		if digest := changelog.Sum(m.Data); digest != held.Digest {
			t.different = fmt.Errorf("revision %d is %s in the log and %s here: %w",
				held.Revision, digest, held.Digest, changelog.ErrDifferentHistory)
			return t
		}
	}
	if t.last > held.Revision {
		m, err := c.message(ctx, stream, held.Revision+1)
		if !t.lacks(held.Revision+1, err) {
			t.next = &m
		}
	}
	return t
}

// lacks notes why an entry could not be had, and reports whether that is so.
func (t *testimony) lacks(revision uint64, err error) bool {
	switch {
	case errors.Is(err, errNoMessage):
		t.missing = revision
		t.hole = fmt.Errorf("%w: the leader has no revision %d although its log ends with %d", errHole, revision, t.last)
	case err != nil:
		t.err = err
	}
	return err != nil
}

// heard draws the conclusion from what the leader said about the position held.
func (s *following) heard(held changelog.Position, t testimony) {
	i := &s.inquiry
	i.running = false
	now := time.Now()
	if held != s.chain.Head() { // the feed has moved us on: what was said is about the past
		s.cleared(now)
		return
	}
	if t.err != nil {
		s.current.LastError = t.err
		i.retry = min(max(2*i.retry, fillRetryMin), s.timing.recheck)
		i.at = now.Add(jitter(i.retry/2, i.retry))
		s.checkStandstill(now)
		return
	}
	s.current.StreamMissing = false
	s.leader.hope() // it has just answered
	err := errors.Join(t.different, t.hole)
	if err == nil && t.next != nil {
		err = s.extend(*t.next)
	}
	if err == nil {
		s.vouched(t.asked)
		s.head = max(s.received(), t.last) // whatever else was said about it
		s.refute(t.last, t.asked)
		s.cleared(now)
		return
	}
	i.at = now.Add(jitter(s.timing.recheck/2, s.timing.recheck))
	if t.regressed && t.clustered && !s.regressLasts(now) {
		i.at = now.Add(regressLimit / 4)
		return
	}
	s.leave(held, t, err)
}

// leave takes over the state that the log has now, if that is allowed, and else
// publishes why the log cannot be followed.
func (s *following) leave(held changelog.Position, t testimony, charge error) {
	charge = t.sameEpoch(charge)
	s.inquiry.charge = charge
	if errors.Is(charge, errUnreadable) {
		s.conclude(charge)
		return
	}
	r, err := s.routeTo(held, t)
	if err == nil {
		s.takeOver(r)
		return
	}
	if errors.Is(err, ErrIncomplete) {
		s.inquiry.at = time.Now().Add(jitter(incompleteRecheck/2, incompleteRecheck))
	}
	s.conclude(because(charge, err))
}

func (s *following) regressLasts(now time.Time) bool {
	i := &s.inquiry
	if i.regressed.IsZero() {
		i.regressed = now
	}
	return now.Sub(i.regressed) >= regressLimit
}

// conclude publishes what is wrong with the log. The target keeps what it has.
func (s *following) conclude(err error) {
	known := s.obstacle() != nil
	s.current.DifferentHistory, s.current.Hole, s.current.Unreadable = nil, nil, nil
	switch {
	case errors.Is(err, changelog.ErrDifferentHistory):
		s.current.DifferentHistory = err
	case errors.Is(err, errUnreadable):
		s.current.Unreadable = err
	default:
		s.current.Hole = err
	}
	if !known {
		s.log.Error().Err(err).Msg("the log cannot be followed any further; what is known is served on")
	}
}

// obstacle returns what keeps the follower from going on, as far as is known.
func (s *following) obstacle() error {
	return cmp.Or(s.current.DifferentHistory, s.current.Hole, s.current.Unreadable)
}

// checkStandstill calls it a hole when a fill has stood still for too long.
func (s *following) checkStandstill(now time.Time) {
	still := s.fill.still
	if !still.IsZero() && now.Sub(still) >= s.timing.standstill && s.current.Hole == nil && s.conn.Connected() {
		s.conclude(fmt.Errorf("%w: revision %d does not come and the leader cannot be asked", errHole, s.received()+1))
	}
}

// cleared ends an inquiry without a charge and goes on reading.
func (s *following) cleared(now time.Time) {
	if s.obstacle() != nil {
		s.log.Info().Uint64("revision", s.received()).Msg("the log can be followed again")
	}
	s.current.DifferentHistory, s.current.Hole, s.current.Unreadable = nil, nil, nil
	s.inquiry = inquiryState{}
	s.fill.still = time.Time{}
	s.fill.restart(now)
}
