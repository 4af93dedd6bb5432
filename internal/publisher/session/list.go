package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/bucket"
)

// Session is what others may know of a session.
type Session struct {
	ID string
	// Principal is whom it stands for, as they were when they signed in.
	Principal access.Principal
	How       How
	Created   time.Time
	Expires   time.Time
	// Agent is what the browser calls itself.
	Agent string
}

// List returns the sessions of a principal by what policies call it, oldest first; the empty text means all sessions. The error is ErrUnavailable.
func (s *Sessions) List(ctx context.Context, policyID string) ([]Session, error) {
	found, err := s.records(ctx, policyID)
	if err != nil {
		return nil, err
	}
	all := make([]Session, 0, len(found))
	for _, r := range found {
		all = append(all, r.shown())
	}
	return all, nil
}

func (r record) shown() Session {
	return Session{ID: r.ID, Principal: r.Grant.Principal(), How: r.How, Created: r.Created, Expires: r.Expires, Agent: r.Agent}
}

// records returns the sessions of a principal, or all, that are believed, oldest first.
func (s *Sessions) records(ctx context.Context, policyID string) ([]record, error) {
	store, err := s.bucket()
	if err != nil {
		return nil, err
	}
	key := ">"
	if policyID != "" {
		key = "*." + ownerOf(policyID)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	values, err := store.List(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, s.noteLost(err))
	}
	var all []record
	for _, v := range values {
		if r, err := unseal(v, s.options.Keyring); err == nil && s.options.Now().Before(r.Expires) {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b record) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// End ends a session for good: any if policyID is empty, else one of that principal. The error is ErrUnknown or ErrUnavailable.
func (s *Sessions) End(ctx context.Context, id, policyID string) (Session, error) {
	if !isID(id) {
		return Session{}, ErrUnknown
	}
	store, err := s.bucket()
	if err != nil {
		return Session{}, err
	}
	within, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	v, err := store.Get(within, id+".*")
	if err != nil {
		return Session{}, notFound(err)
	}
	r, err := unseal(v, s.options.Keyring)
	if err != nil || policyID != "" && r.Grant.Principal().PolicyID() != policyID {
		return Session{}, ErrUnknown
	}
	if err := s.end(ctx, r); err != nil {
		return Session{}, err
	}
	return r.shown(), nil
}

// EndAll ends all sessions of a principal by what policies call it. The error is ErrUnavailable.
func (s *Sessions) EndAll(ctx context.Context, policyID string) error {
	all, err := s.records(ctx, policyID)
	if err != nil || policyID == "" {
		return err
	}
	for _, r := range all {
		if err := s.end(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func notFound(err error) error {
	if errors.Is(err, bucket.ErrNotFound) {
		return ErrUnknown
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
