package flagsync

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/sync/changelog"
)

// Target is what a [Follower] keeps current. All methods are called from the
// goroutine of [Follower.Run].
type Target interface {
	// Position returns what is applied so far; zero is nothing.
	Position() changelog.Position
	// Apply applies whole transactions in order, as one visible step. The
	// records are the target's to keep. An error means that nothing was applied.
	Apply(txs []changelog.Transaction) error
	// Load replaces everything by a snapshot.
	Load(s *changelog.SnapshotReader) error
	// Synced tells that everything up to a confirmed head is applied: the state
	// is complete.
	Synced()
	// StateDigest returns the digest of the documents that are applied.
	StateDigest() changelog.Digest
}

// FollowerOptions configure a [Follower].
type FollowerOptions struct {
	Environment string
	Logger      zerolog.Logger
}

// Follower keeps a [Target] current with the log of an environment.
type Follower struct{}

// NewFollower returns a follower that begins where t stands.
func NewFollower(c *Conn, t Target, o FollowerOptions) (*Follower, error) {
	return nil, errors.ErrUnsupported
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Barrier returns nil once everything that was committed before the call is
// applied.
func (f *Follower) Barrier(ctx context.Context) error { return errors.ErrUnsupported }

// Wait returns nil once revision is applied.
func (f *Follower) Wait(ctx context.Context, revision uint64) error { return errors.ErrUnsupported }
