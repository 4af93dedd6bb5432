package follow

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// misplacedNext looks whether the next message of a stream is an entry that does
// not belong to its log. The leader has what is held in its place.
func misplacedNext(ctx context.Context, c jetstream.Client, environment string, held changelog.Position, m *jetstream.Message) (*changelog.Record, error) {
	if m == nil {
		return nil, nil
	}
	r, err := c.Keyring().OpenEntry(environment, m.Entry(environment))
	if err != nil || !held.IsZero() && r.Epoch.Later(held.Epoch) || r.Prev == held.Link() {
		return nil, nil //nolint:nilerr // noise, or what is judged otherwise
	}
	is, err := c.Misplaced(ctx, environment, held.Link(), r)
	if err != nil || !is {
		return nil, err
	}
	return &r, nil
}

// goesAround returns how the log leads to what a publisher names past what is held:
// both were signed for it, so that it is forked.
func goesAround(ctx context.Context, c jetstream.Client, environment string, q leaderQuestion) (different, err error) {
	if q.named.Epoch != q.held.Epoch || q.named.Revision <= q.held.Revision {
		return nil, nil
	}
	m, err := c.Message(ctx, jetstream.FlagsStream(environment), q.named.Revision)
	if errors.Is(err, jetstream.ErrNoMessage) || err == nil && changelog.Sum(m.Data) != q.named.Digest {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := changelog.DecodeRecord(m.Sequence, m.Data)
	if err != nil {
		return nil, nil //nolint:nilerr // a newer format, which is not for us to judge
	}
	is, err := c.Misplaced(ctx, environment, q.held.Link(), r)
	if is {
		different = fmt.Errorf("revision %d, which a publisher names, does not continue revision %d here: %w", r.Revision, q.held.Revision, changelog.ErrDifferentHistory)
	}
	return different, err
}

// beginsBefore returns how a later epoch begins before what is held: that stands in
// its place, but it was stored there again.
func beginsBefore(ctx context.Context, c jetstream.Client, environment string, q leaderQuestion) (different, err error) {
	b := q.begin
	if b.revision == 0 || b.revision > q.held.Revision || !b.epoch.Later(q.held.Epoch) {
		return nil, nil
	}
	m, err := c.Message(ctx, jetstream.FlagsStream(environment), b.revision)
	if errors.Is(err, jetstream.ErrNoMessage) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := changelog.OpenNamedEntry(environment, b.epoch, m.Entry(environment)); err != nil {
		return nil, nil //nolint:nilerr // that was in another log
	}
	return fmt.Errorf("epoch %s begins with revision %d, before revision %d here: %w",
		b.epoch.Short(), b.revision, q.held.Revision, changelog.ErrDifferentHistory), nil
}

// denies returns how the log went on without an entry that what is held continues,
// and that a publisher takes for noise.
func denies(ctx context.Context, c jetstream.Client, environment string, q leaderQuestion) (different, err error) {
	if q.denied.Revision == 0 {
		return nil, nil
	}
	m, err := c.Message(ctx, jetstream.FlagsStream(environment), q.denied.Revision)
	if err != nil && !errors.Is(err, jetstream.ErrNoMessage) {
		return nil, err
	}
	if err == nil && changelog.Sum(m.Data) == q.denied.Digest {
		return nil, nil
	}
	return fmt.Errorf("revision %d, which revision %d here continues, is not in the log: %w",
		q.denied.Revision, q.held.Revision, changelog.ErrDifferentHistory), nil
}
