package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// A follower that cannot go on where it stands may take over a state as a
// whole: one that the leader confirms, that begins with an epoch entry, and
// that is complete. Nothing less replaces what is served.

const (
	// snapshotGain is how many entries a published snapshot must save at least
	// before it is preferred to the log. It must also save more entries than it
	// has documents.
	snapshotGain = 256
	// incompleteRecheck is how often a new epoch that is being written is looked
	// at.
	incompleteRecheck = 200 * time.Millisecond
)

// errNewEpoch tells that the state begins anew with the next entry.
var errNewEpoch = fmt.Errorf("a new epoch replaces the state: %w", changelog.ErrDifferentHistory)

// stateTransfer is about replacing the state as a whole. While it is under way
// the target belongs to the worker that does it.
type stateTransfer struct {
	running bool
}

// source is how a state can be had as a whole.
type source struct {
	begin     changelog.Record // epoch entry of the state that is wanted; its revision is 0 when it is not known
	last      uint64           // revision the log ends with
	asked     time.Time        // when that was so
	above     uint64           // a snapshot must be newer than this, and belong to begin's epoch
	held      changelog.Epoch  // that is left, or goes on behind a hole
	fromLog   bool             // the log can be read instead
	retired   bool             // what is held was signed by a key that is retired since
	beginning uint64           // where reading the log starts
}

// sourceOf returns how the state of the log can be taken over by a follower that
// stands at held, or why it may not be: only a renewal of a later epoch replaces
// a state.
func (s *followLoop) sourceOf(held changelog.Position, t leaderReport) (source, error) {
	if t.last > 0 && s.disowned() {
		return source{last: t.last, asked: t.asked, retired: true}, nil
	}
	if t.begin == nil && (t.last == 0 || t.missing == 0 && t.different == nil) {
		return source{}, errors.New("the log has no newer epoch")
	}
	r := source{last: t.last, asked: t.asked, above: t.missing, held: held.Epoch}
	r.begin.Epoch = held.Epoch
	if t.begin != nil {
		r.begin, r.beginning = *t.begin, t.begin.Revision
		r.fromLog = t.missing < r.beginning
		r.above = max(t.missing, r.beginning)
	}
	fresh := r.begin.Epoch != held.Epoch
	switch {
	case fresh && !r.begin.Epoch.Later(held.Epoch):
		return source{}, fmt.Errorf("the log went back to epoch %s, which is older", r.begin.Epoch.Short())
	case fresh && !r.begin.ReplacesEpoch() && !held.IsZero():
		return source{}, fmt.Errorf("the log begins with epoch %s, which replaces no earlier one", r.begin.Epoch.Short())
	case t.missing > 0 && s.holdAtHole && r.begin.Revision < t.missing:
		return source{}, errors.New("the divergence check of the hole has not ended yet")
	case t.begin == nil: // its beginning is missing: a snapshot of a later epoch tells that it is another one
		return r, nil
	case t.missing > 0 && !fresh:
		r.fromLog = r.fromLog && r.begin.Revision > held.Revision
		return r, nil
	case !fresh:
		return source{}, errors.New("the log has no new epoch")
	case t.last < r.begin.Revision+r.begin.Complete:
		return source{}, fmt.Errorf("%w: its log ends at %d, and %d entries follow revision %d", ErrIncomplete, t.last, r.begin.Complete, r.begin.Revision)
	}
	return r, nil
}

// install begins to take over a state. What comes of it is known in tookOver.
func (s *followLoop) install(r source) {
	s.transfer.running = true
	s.divergence.running = true
	s.work(func(ctx context.Context) func() {
		position, err := s.loadState(ctx, r)
		return func() { s.onStateInstalled(r, position, err) }
	})
}

// loadState hands the target the newest published snapshot that will do, else what
// the log adds up to.
func (s *followLoop) loadState(ctx context.Context, r source) (changelog.Position, error) {
	if r.retired {
		return s.loadOwn(ctx, r)
	}
	position, err := s.loadPublished(ctx, func(p changelog.PublishedSnapshot) bool { return r.wants(p) && s.mayReplace(ctx, r, p) })
	if err == nil || !r.fromLog {
		return position, err
	}
	unpublished := err
	replayed, err := readRebuild(ctx, s.conn, s.environment, r.beginning, r.last)
	if err != nil {
		return changelog.Position{}, fmt.Errorf("%w; %s", err, unpublished.Error())
	}
	if !replayed.has(r.begin.Epoch) || !replayed.complete() {
		return changelog.Position{}, fmt.Errorf("%w: what was read ends at revision %d", ErrIncomplete, replayed.head.Revision)
	}
	if err := replayed.read(s.target.Load); err != nil {
		return changelog.Position{}, err
	}
	return replayed.head.Position, nil
}

// wants reports whether a published snapshot will do. Where the entry that its
// epoch begins with is missing, it must be of a later epoch than ours, or lie
// behind the hole in ours.
func (r source) wants(p changelog.PublishedSnapshot) bool {
	if p.Revision <= r.above || p.Revision > r.last {
		return false
	}
	if p.Epoch == r.begin.Epoch {
		return r.above > 0
	}
	return r.begin.Revision == 0 && p.Epoch.Later(r.held)
}

// mayReplace reports whether the epoch of a snapshot may replace the state: it does
// not if the entry that it begins with is there and renews nothing.
func (s *followLoop) mayReplace(ctx context.Context, r source, p changelog.PublishedSnapshot) bool {
	if p.Epoch == r.begin.Epoch {
		return true
	}
	begin, err := beginOfEpoch(ctx, s.conn, s.environment, p.Epoch)
	if err != nil {
		return errors.Is(err, jetstream.ErrNoMessage) // it is lost
	}
	return begin.ReplacesEpoch()
}

// errNoSnapshot tells that no published snapshot will do.
var errNoSnapshot = errors.New("there is no published snapshot to continue from")

// loadPublished hands the target the newest published snapshot that is wanted
// and that the leader's log contains.
func (s *followLoop) loadPublished(ctx context.Context, wanted func(changelog.PublishedSnapshot) bool) (changelog.Position, error) {
	asked := time.Now()
	var m changelog.Manifest
	err := s.manifests.run(ctx, func(ctx context.Context) (err error) {
		m, err = newestManifest(ctx, s.conn, s.environment)
		return err
	})
	if err != nil {
		return changelog.Position{}, err
	}
	if !jetstream.Pause(ctx, backpressure(time.Since(asked), quickProbe, 5)) {
		return changelog.Position{}, context.Cause(ctx)
	}
	failed := errNoSnapshot
	for _, p := range m.Snapshots {
		if !wanted(p) {
			continue
		}
		err := s.loadSnapshot(ctx, p)
		if err == nil {
			return p.Position(), nil
		}
		failed = fmt.Errorf("published snapshot of revision %d: %w", p.Revision, err)
		s.logger.Warn().Err(failed).Msg("published snapshot not used")
	}
	return changelog.Position{}, failed
}

func (s *followLoop) loadSnapshot(ctx context.Context, p changelog.PublishedSnapshot) error {
	entry, err := s.conn.Message(ctx, s.stream, p.Revision)
	if err != nil {
		return err
	}
	if changelog.Sum(entry.Data) != p.Digest {
		return fmt.Errorf("the log holds another entry there: %w", changelog.ErrDifferentHistory)
	}
	return s.readSnapshot(ctx, p, s.target.Load)
}

// because returns a verdict together with what keeps the follower from leaving.
// What that wraps must not be taken for the verdict.
func because(verdict, err error) error {
	if errors.Is(err, ErrIncomplete) {
		return fmt.Errorf("%w: %w", verdict, err)
	}
	return fmt.Errorf("%w: %s", verdict, err.Error())
}

// onStateInstalled goes on from the state that was taken over, or where it stood.
func (s *followLoop) onStateInstalled(r source, position changelog.Position, err error) {
	s.transfer.running = false
	s.divergence.running = false
	now := time.Now()
	if err != nil {
		if s.ctx.Err() == nil {
			s.current.LastError = err
		}
		s.reportObstacle(because(s.divergence.verdict, err))
		s.divergence.at = now.Add(jetstream.Jitter(s.timing.Recheck/2, s.timing.Recheck))
		return
	}
	s.logger.Warn().Stringer("revision", position.Token()).
		AnErr("because", s.divergence.verdict).Msg("state replaced as a whole")
	s.continueFrom(position, r.asked, now)
	s.head, s.end = position.Revision, max(position.Revision, r.last)
	s.refute(r.last, r.asked)
	s.current.StateTransfers++
	s.divergenceCleared(now)
}

// continueFrom makes a position the one to continue from. The leader, who was
// asked at a moment or later, confirmed it.
func (s *followLoop) continueFrom(position changelog.Position, asked, now time.Time) {
	s.judge = changelog.NewJudge(s.conn.Keyring(), s.environment, position)
	s.judged, s.unproved = position.Revision, false
	s.seen.installed()
	s.feed.last = seenMessage{}
	s.feed.clear()
	s.heartbeat.named = changelog.Position{}
	s.foreignTo = position.Revision
	s.assembler.Reset()
	s.openOp, s.ready, s.applyAt = "", nil, time.Time{}
	s.applied, s.signed = position, changelog.Head{}
	s.state.installed()
	s.current.DifferentState = nil
	s.fill.still = time.Time{}
	s.confirmedByLeader(asked)
	s.fill.restart(now)
}

// newestManifest returns the manifest as any replica has it, which may be behind. It
// has no snapshots when there is none.
func newestManifest(ctx context.Context, c jetstream.Client, environment string) (changelog.Manifest, error) {
	found, err := c.Newest(ctx, jetstream.SnapStream(environment), jetstream.ManifestSubject(environment))
	switch {
	case errors.Is(err, jetstream.ErrNoMessage), jetstream.NoResponders(err):
		return changelog.Manifest{}, nil // the stream does not exist, or is empty
	case err != nil:
		return changelog.Manifest{}, fmt.Errorf("manifest of %s: %w", environment, err)
	}
	m, err := changelog.DecodeManifest(c.Keyring(), environment, found.Data, changelog.Signature(found.Proof))
	if err != nil {
		return changelog.Manifest{}, nil //nolint:nilerr // what no publisher signed is none
	}
	return m, nil
}
