package control

import (
	"context"
	"time"
)

// Summarize tells the ledger how many requests were unauthenticated, as Run does once a minute.
func (s *Service) Summarize(ctx context.Context, since time.Time) { s.summarize(ctx, since) }
