package flagsync

import (
	"context"
	"errors"

	"github.com/flagside/flagside/sync/changelog"
)

// misplacedDepth is how far the entries that one claims to continue are followed
// back.
const misplacedDepth = 64

// misplaced reports whether a signed entry of a stream does not belong to its log,
// which has an entry at floor and nothing else between that and this one: it was
// signed for a log that has been replaced, and stored again. floor may be zero. It
// is false where the leader lacks a message that would tell, or cannot be asked.
func (c *Conn) misplaced(ctx context.Context, environment string, floor changelog.Link, r changelog.Record) (bool, error) {
	for range misplacedDepth {
		if r.Prev.Revision <= floor.Revision {
			return r.Prev != floor, nil
		}
		m, err := c.message(ctx, flagsStream(environment), r.Prev.Revision)
		switch {
		case errors.Is(err, errNoMessage):
			return false, nil
		case err != nil:
			return false, err
		case changelog.Sum(m.Data) != r.Prev.Digest:
			return true, nil
		}
		// What a signed entry names is as it was signed, and so is what that names.
		if r, err = changelog.DecodeRecord(m.Sequence, m.Data); err != nil {
			return false, nil //nolint:nilerr // a newer format, which is not for us to judge
		}
	}
	return false, nil
}

// misplacedNext looks whether the next message of a stream is an entry that does
// not belong to its log. The leader has what is held in its place.
func (c *Conn) misplacedNext(ctx context.Context, environment string, held changelog.Position, m *storedMessage) (*changelog.Record, error) {
	if m == nil {
		return nil, nil
	}
	r, err := c.keys.OpenEntry(environment, m.entry(environment))
	if err != nil || !held.IsZero() && r.Epoch.Later(held.Epoch) || r.Prev == held.Link() {
		return nil, nil //nolint:nilerr // noise, or what is judged otherwise
	}
	is, err := c.misplaced(ctx, environment, held.Link(), r)
	if err != nil || !is {
		return nil, err
	}
	return &r, nil
}
