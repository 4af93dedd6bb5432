package flagsync

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// ValidateEnvironment reports why name cannot name an environment: it must be a
// DNS label (RFC 1123) in lower case that begins with a letter, of at most 63
// characters.
func ValidateEnvironment(name string) error { return nil }

// Environment is one change log and what is known about it.
type Environment struct {
	Name     string
	Epoch    changelog.Epoch // of its first entry
	Actor    string          // opaque id of who created it
	Created  time.Time
	Archived time.Time // zero while it is in use
}

// Environments is the list of environments, kept in the stream CONTROL. It is
// safe for concurrent use.
type Environments struct{}

// OpenEnvironments creates the stream CONTROL, or verifies that it has the
// settings it must have.
func OpenEnvironments(ctx context.Context, c *Conn, replicas int) (*Environments, error) {
	return nil, errors.ErrUnsupported
}

// Create creates an environment with its streams.
func (e *Environments) Create(ctx context.Context, name, actor string) (Environment, error) {
	return Environment{}, errors.ErrUnsupported
}

// List returns all environments, archived ones too, by name.
func (e *Environments) List(ctx context.Context) ([]Environment, error) {
	return nil, errors.ErrUnsupported
}

// Archive marks an environment as no longer in use. Its log stays.
func (e *Environments) Archive(ctx context.Context, name, actor string) error {
	return errors.ErrUnsupported
}
