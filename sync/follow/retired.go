package follow

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// errDisowned tells that a key signed what is held that was taken out of the keys
// note since, so that it may be a thief's.
var errDisowned = errors.New("what is known here was signed by a key that is retired")

// disowned reports whether what is held is proved by a key that is retired since.
// That is usual after a rotation, and the log continues it. If the log does not,
// nothing speaks for what is held. Publishers leave that to a person.
func (s *followLoop) disowned() bool {
	proof := s.signed
	if t, ok := s.target.(ProvedTarget); ok && proof.Position != s.applied {
		proof = t.Head()
	}
	return !s.holdAtHole && !s.applied.IsZero() && proof.Position == s.applied && s.conn.Keyring().RetiredHead(s.environment, proof)
}

// loadOwn hands the target what the log adds up to, in the place of a state that is
// disowned. The log must hold the newest keys note in its history: an older state,
// which a server may show, cannot.
func (s *followLoop) loadOwn(ctx context.Context, r source) (changelog.Position, error) {
	replayed, err := readRebuild(ctx, s.conn, s.environment, 1, r.last)
	if err == nil && !replayed.complete() {
		err = fmt.Errorf("%w: what was read ends at revision %d", ErrIncomplete, replayed.head.Revision)
	}
	if err != nil {
		return changelog.Position{}, fmt.Errorf("%w; %s", err, errDisowned.Error())
	}
	if version := replayed.keysVersion(); version != s.conn.Keyring().Note().Version {
		return changelog.Position{}, fmt.Errorf("%w, and the log holds version %d of the keys note, not yet version %d",
			errDisowned, version, s.conn.Keyring().Note().Version)
	}
	if err := replayed.read(s.target.Load); err != nil {
		return changelog.Position{}, err
	}
	return replayed.head.Position, nil
}

// keysVersion returns the version of the keys note in the state, 0 if there is none.
func (r *rebuild) keysVersion() uint64 {
	text, err := changelog.KeysText(r.documents[document.ID{Kind: document.KindKeys, Key: document.KeysKey}].Body)
	if err != nil {
		return 0
	}
	return r.keys.VersionOf(text)
}
