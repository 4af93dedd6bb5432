package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// regressLimit is how long the leader of a cluster may name a head below ours
// before it counts: one that was just elected may not have applied its own log
// yet. A single server is believed at once.
const regressLimit = 2 * time.Second

// divergenceCheck is about a suspicion against the log: what a replica, the feed
// or a heartbeat says does not fit, and the leader is asked.
type divergenceCheck struct {
	about     error     // nil when there is none
	verdict   error     // what the leader confirmed last
	at        time.Time // when the leader is asked next
	running   bool
	retry     time.Duration
	regressed time.Time // since when the leader names a head below ours
}

// active reports whether reading stands still until the leader has answered.
func (check *divergenceCheck) active() bool { return check.about != nil }

// checkDivergence begins a divergence check unless one is under way.
func (s *followLoop) checkDivergence(err error) {
	if s.divergence.active() {
		return
	}
	s.logger.Debug().Err(err).Msg("change log differs from what is known, asking the stream's leader")
	s.divergence = divergenceCheck{about: err, at: time.Now()}
}

// scheduleDivergenceCheck asks the leader when it is due, and returns when that is.
func (s *followLoop) scheduleDivergenceCheck(now time.Time) time.Time {
	check := &s.divergence
	if check.about == nil || check.running || s.transfer.running {
		return time.Time{}
	}
	if now.Before(check.at) {
		return check.at
	}
	check.running = true
	q := leaderQuestion{held: s.judge.Head(), judged: s.judged, begin: s.heartbeat.beginAt, renewed: s.seen.newEpochAt, named: s.heartbeat.named, denied: s.heartbeat.denied}
	s.work(func(ctx context.Context) func() {
		t := askAbout(ctx, s.conn, s.environment, q)
		return func() { s.onLeaderReport(q, t) }
	})
	return time.Time{}
}

// leaderQuestion is what the leader is asked about.
type leaderQuestion struct {
	held    changelog.Position // the last entry
	judged  uint64             // everything up to here was looked at
	begin   epochBegin         // of the newest epoch, as a heartbeat says
	renewed uint64             // revision of a renewal that was met; 0 is none
	named   changelog.Position // that a heartbeat names and that was taken for noise
	denied  changelog.Link     // an entry of ours that a publisher takes for noise; zero is none
}

// leaderReport is what the leader says about the log around a position.
type leaderReport struct {
	asked     time.Time
	held      changelog.Position
	last      uint64            // sequence that the stream ends with
	begin     *changelog.Record // the signed entry of the newest epoch, looked up when the log does not simply go on
	missing   uint64            // sequence of the message that is missing; 0 is none
	clustered bool
	regressed bool               // the stream ends below what was looked at
	different error              // another entry stands at the position
	hole      error              // an entry is missing at or right after the position
	next      *jetstream.Message // the message after what was looked at, if there is one
	misplaced *changelog.Record  // what next says, if that is an entry of another log
	err       error              // the leader could not be asked
}

// askAbout asks the leader about the log around a position, and where the newest
// epoch begins if the log does not simply go on.
func askAbout(ctx context.Context, c jetstream.Client, environment string, q leaderQuestion) leaderReport {
	t := reportOn(ctx, c, environment, q)
	elsewhere, other := leavesEpoch(c, environment, q.held, t.next)
	if t.err != nil || t.last == 0 || t.different == nil && t.hole == nil && !elsewhere {
		return t
	}
	begin, err := newestEpoch(ctx, c, environment, q.begin, q.renewed, t.nextSequence())
	if elsewhere && (err == nil || errors.Is(err, jetstream.ErrNoMessage)) && other.Later(begin.Epoch) {
		begin, err = beginOfEpoch(ctx, c, environment, other)
	}
	switch {
	case err == nil:
		t.begin = &begin
	case !errors.Is(err, jetstream.ErrNoMessage):
		t.err = err
	}
	return t
}

func (t *leaderReport) nextSequence() uint64 {
	if t.next == nil {
		return 0
	}
	return t.next.Sequence
}

// sameEpoch says more about a verdict if the log claims to be in the epoch that
// is known.
func (t *leaderReport) sameEpoch(verdict error) error {
	switch {
	case !errors.Is(verdict, changelog.ErrDifferentHistory) || t.begin != nil && t.begin.Epoch != t.held.Epoch:
		return verdict
	case t.regressed:
		return fmt.Errorf("%w: %w", ErrRegressed, verdict)
	default:
		return fmt.Errorf("%w: %w", ErrForked, verdict)
	}
}

// leavesEpoch reports whether a message is a signed entry of another epoch than
// that of what is held, or cannot be read, and of which if that is known.
func leavesEpoch(c jetstream.Client, environment string, held changelog.Position, m *jetstream.Message) (leaves bool, other changelog.Epoch) {
	if m == nil {
		return false, ""
	}
	r, err := c.Keyring().OpenEntry(environment, m.Entry(environment))
	if errors.Is(err, changelog.ErrUnreadable) {
		return true, "" // a later epoch need not be read through it
	}
	return err == nil && (r.ReplacesEpoch() || r.Epoch != held.Epoch), r.Epoch
}

func reportOn(ctx context.Context, c jetstream.Client, environment string, q leaderQuestion) leaderReport {
	asked, stream := time.Now(), jetstream.FlagsStream(environment)
	info, err := c.Info(ctx, stream)
	if err == nil {
		err = info.VerifyLease()
	}
	if err != nil {
		return leaderReport{err: err}
	}
	t := leaderReport{asked: asked, held: q.held, last: info.State.LastSequence, clustered: len(info.Cluster.Replicas) > 0}
	if t.last < q.held.Revision {
		t.regressed = true
		t.different = fmt.Errorf("the log ends at %d, revision %d is applied here: %w", t.last, q.held.Revision, changelog.ErrDifferentHistory)
		return t
	}
	if q.held.Revision > 0 {
		m, err := c.Message(ctx, stream, q.held.Revision)
		if t.lacks(q.held.Revision, err) {
			return t
		}
		if digest := changelog.Sum(m.Data); digest != q.held.Digest {
			t.different = fmt.Errorf("revision %d is %s in the log and %s here: %w",
				q.held.Revision, digest, q.held.Digest, changelog.ErrDifferentHistory)
			return t
		}
	}
	for _, look := range []func(context.Context, jetstream.Client, string, leaderQuestion) (error, error){goesAround, beginsBefore, denies} {
		if t.different, t.err = look(ctx, c, environment, q); t.different != nil || t.err != nil {
			return t
		}
	}
	if t.last > q.judged {
		t.next, t.err = nextMessage(ctx, c, environment, q, &t)
	}
	if t.err == nil {
		t.misplaced, t.err = misplacedNext(ctx, c, environment, q.held, t.next)
	}
	return t
}

// bridgeMost is how many messages behind a hole are looked at for one that shows
// that the hole holds no entry.
const bridgeMost = 16

// nextMessage returns the message after what was looked at. Where that is
// missing it returns a later one that continues what is held, because only noise
// is missing then; else it notes the hole.
func nextMessage(ctx context.Context, c jetstream.Client, environment string, q leaderQuestion, t *leaderReport) (*jetstream.Message, error) {
	stream := jetstream.FlagsStream(environment)
	m, err := c.Message(ctx, stream, q.judged+1)
	if err == nil {
		return &m, nil
	}
	if !errors.Is(err, jetstream.ErrNoMessage) {
		return nil, err
	}
	from := q.judged + 2
	for range bridgeMost {
		later, err := c.Get(ctx, stream, jetstream.MessageRequest{Sequence: from, NextBySubject: jetstream.FlagsSubject(environment) + ".>"})
		if errors.Is(err, jetstream.ErrNoMessage) {
			break
		}
		if err != nil {
			return nil, err
		}
		if r, err := c.Keyring().OpenEntry(environment, later.Entry(environment)); err == nil && r.Prev == q.held.Link() {
			return &later, nil
		}
		from = later.Sequence + 1
	}
	t.lacks(q.judged+1, jetstream.ErrNoMessage)
	return nil, nil
}

// lacks notes why a message could not be had, and reports whether that is so.
func (t *leaderReport) lacks(sequence uint64, err error) bool {
	switch {
	case errors.Is(err, jetstream.ErrNoMessage):
		t.missing = sequence
		t.hole = fmt.Errorf("%w: the leader has no message %d although its log ends with %d", jetstream.ErrHole, sequence, t.last)
	case err != nil:
		t.err = err
	}
	return err != nil
}

// onLeaderReport draws the conclusion from what the leader said.
func (s *followLoop) onLeaderReport(q leaderQuestion, t leaderReport) {
	check := &s.divergence
	check.running = false
	now := time.Now()
	if q.held != s.judge.Head() || q.judged != s.judged { // the feed has moved us on: what was said is about the past
		s.divergenceCleared(now)
		return
	}
	if t.err != nil {
		s.current.LastError = t.err
		check.retry = min(max(2*check.retry, fillRetryMin), s.timing.Recheck)
		check.at = now.Add(jetstream.Jitter(check.retry/2, check.retry))
		s.checkStandstill(now)
		return
	}
	s.current.StreamMissing = false
	s.leader.reset() // it has just answered
	err := errors.Join(t.different, t.hole)
	if err == nil && t.next != nil {
		err = s.judgeNext(*t.next, t)
	}
	if errors.Is(err, jetstream.ErrHole) && t.hole == nil && t.begin != nil && t.begin.ReplacesEpoch() && t.begin.Epoch.Later(q.held.Epoch) {
		err = errNewEpoch // what seems to be missing is of that epoch
	}
	if err == nil {
		err = s.unsupported()
	}
	if err == nil {
		s.confirmedByLeader(t.asked)
		s.endsWith(t.last)
		s.refute(t.last, t.asked)
		s.divergenceCleared(now)
		return
	}
	check.at = now.Add(jetstream.Jitter(s.timing.Recheck/2, s.timing.Recheck))
	if t.regressed && t.clustered && !s.regressLasts(now) {
		check.at = now.Add(regressLimit / 4)
		return
	}
	s.resync(q.held, t, err)
}

// endsWith notes the last sequence of the stream, whatever else was said about it. The
// log is the one that is held, but noise at its end may have gone.
func (s *followLoop) endsWith(last uint64) {
	if s.judged > last {
		s.judged, s.seen.last = max(last, s.received()), seenMessage{}
	}
	s.end = max(s.judged, last)
	s.head = min(s.head, s.end)
	if s.judged >= s.end {
		s.head = s.received() // the rest is noise
	}
}

// unsupported returns why nothing more can be believed here: publishers sign in
// a way that this program does not know, or no keys note says who signs, so that
// everything would look like noise.
func (s *followLoop) unsupported() error {
	if err := s.conn.Keyring().Supported(); err != nil {
		return fmt.Errorf("%w: %w", changelog.ErrUnreadable, err)
	}
	if s.received() > 0 && s.judged > s.received() && s.conn.Keyring().Note().Version == 0 {
		return fmt.Errorf("%w: no keys note is known", changelog.ErrUnreadable)
	}
	return nil
}

// judgeNext judges the message that the leader has after what was looked at.
func (s *followLoop) judgeNext(m jetstream.Message, t leaderReport) error {
	if t.misplaced != nil {
		s.judge.Dismiss(*t.misplaced)
	}
	if err := s.judgeMessage(m); err != nil {
		return err
	}
	s.settleFilled(m.Sequence < t.last)
	return nil
}

// differs says how a signed entry does not continue what is held.
func (s *followLoop) differs(r changelog.Record) error {
	held := s.judge.Head()
	if r.Epoch != held.Epoch {
		return fmt.Errorf("revision %d belongs to epoch %s, revision %d here to %s: %w",
			r.Revision, r.Epoch.Short(), held.Revision, held.Epoch.Short(), changelog.ErrDifferentHistory)
	}
	return fmt.Errorf("revision %d continues revision %d %s, revision %d here is %s: %w",
		r.Revision, r.Prev.Revision, r.Prev.Digest, held.Revision, held.Digest, changelog.ErrDifferentHistory)
}

// resync takes over the state that the log has now, if that is allowed, and else
// publishes why the log cannot be followed.
func (s *followLoop) resync(held changelog.Position, t leaderReport, verdict error) {
	verdict = t.sameEpoch(verdict)
	s.divergence.verdict = verdict
	if errors.Is(verdict, changelog.ErrUnreadable) && !s.newEpochBehind(t) {
		s.reportObstacle(verdict)
		return
	}
	r, err := s.sourceOf(held, t)
	if err == nil {
		s.install(r)
		return
	}
	if errors.Is(err, ErrIncomplete) {
		s.divergence.at = time.Now().Add(jetstream.Jitter(incompleteRecheck/2, incompleteRecheck))
	}
	s.reportObstacle(because(verdict, err))
}

// newEpochBehind reports whether a later epoch begins behind what cannot be read
// here.
func (s *followLoop) newEpochBehind(t leaderReport) bool {
	return s.unsupported() == nil && t.begin != nil && t.begin.ReplacesEpoch() && t.begin.Revision > s.judged && t.begin.Epoch.Later(t.held.Epoch)
}

func (s *followLoop) regressLasts(now time.Time) bool {
	check := &s.divergence
	if check.regressed.IsZero() {
		check.regressed = now
	}
	return now.Sub(check.regressed) >= regressLimit
}

// reportObstacle publishes what is wrong with the log. The target keeps what it has.
func (s *followLoop) reportObstacle(err error) {
	known := s.obstacle() != nil
	s.current.DifferentHistory, s.current.Hole, s.current.Unreadable = nil, nil, nil
	switch {
	case errors.Is(err, changelog.ErrDifferentHistory):
		s.current.DifferentHistory = err
	case errors.Is(err, changelog.ErrUnreadable):
		s.current.Unreadable = err
	default:
		s.current.Hole = err
	}
	if !known {
		s.logger.Error().Err(err).Msg("stopped following the change log: known flags stay in use")
	}
}

// obstacle returns what keeps the follower from going on, as far as is known.
func (s *followLoop) obstacle() error {
	return cmp.Or(s.current.DifferentHistory, s.current.Hole, s.current.Unreadable)
}

// checkStandstill calls it a hole when a fill has stood still for too long.
func (s *followLoop) checkStandstill(now time.Time) {
	still := s.fill.still
	if !still.IsZero() && now.Sub(still) >= s.timing.Standstill && s.current.Hole == nil && s.conn.Connected() {
		s.reportObstacle(fmt.Errorf("%w: message %d was not delivered, and the leader does not answer", jetstream.ErrHole, s.judged+1))
	}
}

// divergenceCleared ends a divergence check without a finding and goes on reading.
func (s *followLoop) divergenceCleared(now time.Time) {
	if s.obstacle() != nil {
		s.logger.Info().Uint64("received", s.received()).Msg("following the change log again")
	}
	s.current.DifferentHistory, s.current.Hole, s.current.Unreadable = nil, nil, nil
	s.divergence, s.heartbeat.denied = divergenceCheck{}, changelog.Link{}
	s.fill.still = time.Time{}
	s.fill.restart(now)
}
