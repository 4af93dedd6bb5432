package session

import (
	"context"
	"errors"
	"time"

	flagsync "github.com/flagside/flagside/sync"
)

const (
	// openRetry is how long a bucket that could not be opened is left alone.
	openRetry = 2 * time.Second
	// countInterval is how often sessions are counted.
	countInterval = time.Minute
)

// Run opens the store, and counts what is in it, until ctx ends, which is no error. Until it is open no session counts.
func (s *Sessions) Run(ctx context.Context, open func(context.Context) (Store, error)) error {
	failed := ""
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		case <-s.lost:
		}
		wait = countInterval
		err := s.tend(ctx, open)
		if err != nil {
			wait = openRetry
		}
		if err != nil && ctx.Err() == nil && err.Error() != failed {
			s.options.Logger.Warn().Err(err).Msg("sessions of the console not read, trying again")
		}
		if failed = ""; err != nil {
			failed = err.Error()
		}
	}
}

// tend opens the store if it is not open, and counts.
func (s *Sessions) tend(ctx context.Context, open func(context.Context) (Store, error)) error {
	store, err := s.bucket()
	if err != nil {
		if store, err = open(ctx); err != nil {
			return err
		}
		s.use(store)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	all, err := store.List(ctx, ">")
	if err != nil {
		return s.noteLost(err)
	}
	s.count.Store(int64(len(all)))
	return nil
}

// noteLost returns err. If it tells that the bucket is gone, Run makes it again: all sessions are lost.
func (s *Sessions) noteLost(err error) error {
	if errors.Is(err, flagsync.ErrStreamLost) {
		s.use(nil)
		select {
		case s.lost <- struct{}{}:
		default:
		}
	}
	return err
}

func (s *Sessions) use(store Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = store
}
