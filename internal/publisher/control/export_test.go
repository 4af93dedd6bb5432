package control

import (
	"context"
	"time"
)

// Summarize tells the ledger how many requests were unauthenticated, as Run does once a minute.
func (s *Service) Summarize(ctx context.Context, since time.Time) { s.summarize(ctx, since) }

// LookedAtLives returns what was known when there was nothing left to do about the lives of flags: the time, the revision and the ledger.
func (s *Service) LookedAtLives() (at time.Time, revision, sequence uint64) {
	s.lives.mu.Lock()
	defer s.lives.mu.Unlock()
	return s.lives.looked.at, s.lives.looked.position.Revision, s.lives.looked.sequence
}
