package publisher

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/health"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// streamInterval is how often all streams are compared with what they must be.
	streamInterval = time.Minute
	// streamTimeout bounds one comparison.
	streamTimeout = 30 * time.Second
)

// streamChecks compares streams with what they must be, again and again: an operator can change them
// on the NATS server without a publisher.
type streamChecks struct {
	environments *environments
	interval     time.Duration
	logger       zerolog.Logger

	mu    sync.Mutex
	found []error
}

func newStreamChecks(e *environments, logger zerolog.Logger) *streamChecks {
	return &streamChecks{environments: e, interval: streamInterval, logger: logger}
}

// run checks until ctx ends.
func (s *streamChecks) run(ctx context.Context) error {
	look := time.NewTicker(s.interval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			s.check(ctx)
		case <-s.environments.mended:
			s.check(ctx)
		}
	}
}

// check looks once. What cannot be looked at is as it was found last.
func (s *streamChecks) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	list, err := s.environments.opened()
	if err != nil {
		return // a condition of its own
	}
	found, err := list.CheckStreams(ctx, s.environments.names())
	if err != nil {
		s.logger.Debug().Err(err).Msg("streams not checked")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = found
}

// wrong returns what is wrong with streams.
func (s *streamChecks) wrong() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// streamCondition returns the condition of a stream that is not what it must be.
func streamCondition(err error) health.Code {
	switch {
	case errors.Is(err, writer.ErrLogCut):
		return health.LogCut
	case errors.Is(err, flagsync.ErrStreamLost):
		return health.StreamLost
	default:
		return health.StreamMismatch
	}
}
