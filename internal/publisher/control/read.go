package control

import (
	"context"
	"fmt"
	"iter"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

// Current returns a state that contains everything that was committed before the call.
func (s *Service) Current(ctx context.Context) (decide.State, error) {
	if err := s.options.Follower.Barrier(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return s.Known()
}

// Known returns the newest state known here, which may be outdated; Status tells how old it is.
func (s *Service) Known() (decide.State, error) {
	if state := s.options.Store.State(); state != nil {
		return state, nil
	}
	if err := s.options.Store.Refused(); err != nil {
		return nil, err // it tells more: asking again may be in vain
	}
	return nil, ErrNotReady
}

// Await waits until the environment is known completely and can be written to. The error tells why it is or may be neither.
func (s *Service) Await(ctx context.Context) error {
	if _, err := s.options.Store.Log(ctx); err != nil {
		return err
	}
	_, err := s.Current(ctx)
	return err
}

// Status tells how the state follows the log.
func (s *Service) Status() follow.Status { return s.options.Follower.Status() }

// Writable returns why no command can be carried out now, or nil.
func (s *Service) Writable() error { return s.options.Store.Refused() }

// ReadOnly returns a sentence that tells where the environment is changed instead; empty if here.
func (s *Service) ReadOnly() string { return s.options.ReadOnly }

// History returns every change of one document from the log, oldest first. It ends with the first error.
func (s *Service) History(ctx context.Context, id document.ID) iter.Seq2[changelog.Record, error] {
	log, err := s.options.Store.Log(ctx)
	if err != nil {
		return func(yield func(changelog.Record, error) bool) { yield(changelog.Record{}, err) }
	}
	return log.History(ctx, id)
}

// Backwards returns every change before a revision from the log without its documents, newest first; zero is the end. It ends with the first
// error.
func (s *Service) Backwards(ctx context.Context, before uint64) iter.Seq2[changelog.Record, error] {
	log, err := s.options.Store.Log(ctx)
	if err != nil {
		return func(yield func(changelog.Record, error) bool) { yield(changelog.Record{}, err) }
	}
	return log.Backwards(ctx, before)
}
