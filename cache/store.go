package cache

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// Options configures a Store.
type Options struct {
	Environment string
	// Dir is where the state is kept between processes; empty means in memory only.
	Dir string
	// Compatibility says how a flagd file given to LoadBootstrap is read.
	Compatibility eval.Compatibility
	Logger        zerolog.Logger
}

// Store keeps the current View of one environment.
type Store struct{}

// New prepares Dir. The caller calls Close when done.
func New(Options) (*Store, error) { return &Store{}, nil }

// Close gives the directory free.
func (s *Store) Close() error { return nil }

// Restore loads what an earlier process left in Dir.
func (s *Store) Restore() (Source, error) { return SourceEmpty, nil }

// LoadBootstrap loads a flagd file or a snapshot file, if there is no View yet.
func (s *Store) LoadBootstrap(string) error { return nil }

// View returns the current View, nil until there is a complete state.
func (s *Store) View() *View { return nil }

// Source returns where the current View came from.
func (s *Store) Source() Source { return SourceEmpty }

// Since returns when Source took its value.
func (s *Store) Since() time.Time { return time.Time{} }

// Problems returns what is wrong with the disk.
func (s *Store) Problems() []Condition { return nil }

// Run keeps the snapshot file up to date until ctx ends.
func (s *Store) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Position returns what was applied so far; zero if nothing was.
func (s *Store) Position() changelog.Position { return changelog.Position{} }

// StateDigest returns the digest over the documents at Position.
func (s *Store) StateDigest() changelog.Digest { return changelog.Digest{} }

// Apply applies whole transactions in order, as one visible step.
func (s *Store) Apply([]changelog.Transaction) error { return nil }

// Load replaces everything by a snapshot.
func (s *Store) Load(*changelog.SnapshotReader) error { return nil }

// Synced says that everything up to a confirmed head was applied.
func (s *Store) Synced() {}
