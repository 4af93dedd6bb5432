package flagsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

const maxLabel = 63 // characters of a DNS label

// ValidateEnvironment reports why name cannot name an environment: it must be a
// DNS label (RFC 1123) in lower case that begins with a letter, of at most 63
// characters. The error wraps [ErrEnvironmentName].
func ValidateEnvironment(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrEnvironmentName)
	case len(name) > maxLabel:
		return fmt.Errorf("%w: %q has %d characters, at most %d are allowed", ErrEnvironmentName, name, len(name), maxLabel)
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("%w: %q: use a to z, 0 to 9 and '-' only", ErrEnvironmentName, name)
	case name[0] < 'a' || name[0] > 'z':
		return fmt.Errorf("%w: %q: begin with a letter", ErrEnvironmentName, name)
	case name[len(name)-1] == '-':
		return fmt.Errorf("%w: %q: do not end with '-'", ErrEnvironmentName, name)
	}
	return nil
}

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
type Environments struct {
	conn     *Conn
	replicas int
}

// OpenEnvironments creates the stream CONTROL with the given number of replicas
// (1, 3 or 5), or verifies that it has the settings it must have.
func OpenEnvironments(ctx context.Context, c *Conn, replicas int) (*Environments, error) {
	if err := validateReplicas(replicas); err != nil {
		return nil, err
	}
	if _, err := c.createStream(ctx, controlConfig(replicas)); err != nil {
		return nil, err
	}
	return &Environments{conn: c, replicas: replicas}, nil
}

func validateReplicas(replicas int) error {
	switch replicas {
	case 1, 3, 5:
		return nil
	}
	return fmt.Errorf("%d replicas: want 1 on a single server, 3 or 5 on a cluster", replicas)
}

// Create creates an environment: its streams, the entry its log begins with,
// and the fact in CONTROL that makes it known. Repeating a Create that was
// interrupted completes it. It returns [ErrEnvironmentExists] or
// [ErrEnvironmentArchived] when the name is taken; of several callers at once
// exactly one succeeds.
func (e *Environments) Create(ctx context.Context, name, actor string) (Environment, error) {
	if err := ValidateEnvironment(name); err != nil {
		return Environment{}, err
	}
	known, _, err := e.conn.fact(ctx, name)
	if err == nil {
		return Environment{}, taken(known)
	}
	if !errors.Is(err, ErrEnvironmentUnknown) {
		return Environment{}, err
	}
	epoch, err := e.createStreams(ctx, name, actor)
	if err != nil {
		return Environment{}, fmt.Errorf("create environment %s: %w", name, err)
	}
	fact := environmentFact{
		Version: factVersion, OpID: newID(), Name: name, Epoch: epoch, Actor: actor, Created: time.Now().UTC(),
	}
	switch err := e.conn.putFact(ctx, fact, 0); {
	case errors.Is(err, errFactMoved):
		return Environment{}, taken(fact)
	case err != nil:
		return Environment{}, err
	}
	return fact.environment(), nil
}

func taken(f environmentFact) error {
	if f.Archived.IsZero() {
		return fmt.Errorf("%w: %q", ErrEnvironmentExists, f.Name)
	}
	return fmt.Errorf("%w: %q; its name is not given again, because its history stays", ErrEnvironmentArchived, f.Name)
}

// createStreams makes the streams of an environment that CONTROL does not know,
// and returns the epoch of revision 1.
func (e *Environments) createStreams(ctx context.Context, name, actor string) (changelog.Epoch, error) {
	for _, config := range []streamConfig{ledgerConfig(name, e.replicas), snapConfig(name, e.replicas)} {
		if _, err := e.conn.createStream(ctx, config); err != nil {
			return "", err
		}
	}
	if _, err := e.conn.createStream(ctx, flagsConfig(name, e.replicas)); err != nil {
		return "", err
	}
	l := newLog(e.conn, LogOptions{Environment: name, Replicas: e.replicas})
	first, err := l.begin(ctx, actor)
	if err != nil {
		return "", err
	}
	return first.Epoch, nil
}

// List returns all environments, archived ones too, by name.
func (e *Environments) List(ctx context.Context) ([]Environment, error) {
	info, err := e.conn.openStream(ctx, controlConfig(e.replicas))
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	prefix := environmentSubject("")
	byName := make(map[string]Environment)
	for m, err := range e.conn.messages(ctx, controlStream, 1, info.State.LastSequence) {
		if err != nil {
			return nil, fmt.Errorf("list environments: %w", err)
		}
		if !strings.HasPrefix(m.Subject, prefix) {
			continue
		}
		f, err := decodeFact(m)
		if err != nil {
			return nil, fmt.Errorf("list environments: %w", err)
		}
		byName[f.Name] = f.environment()
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Environment) int { return strings.Compare(a.Name, b.Name) }), nil
}

// Archive marks an environment as no longer in use. Its log stays. Archiving
// what is archived already does nothing.
func (e *Environments) Archive(ctx context.Context, name, actor string) error {
	for {
		fact, sequence, err := e.conn.fact(ctx, name)
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		if !fact.Archived.IsZero() {
			return nil
		}
		fact.OpID, fact.Archived, fact.ArchivedBy = newID(), time.Now().UTC(), actor
		if err := e.conn.putFact(ctx, fact, sequence); !errors.Is(err, errFactMoved) {
			return err
		}
	}
}
