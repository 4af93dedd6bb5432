package control

import (
	"context"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// RevisionBefore returns a revision up to which everything was written before a time, and after which nothing was; 0 if everything is newer. Times of
// entries come from the clocks of publishers: where these differ, the result is as wrong as they are. It reads few entries, however long the log is.
func (s *Service) RevisionBefore(ctx context.Context, t time.Time) (uint64, error) {
	newest, err := s.newestBefore(ctx, 0)
	if err != nil {
		return 0, err
	}
	older, unknown := uint64(0), newest.Revision // everything up to older is; nothing after unknown is
	for older < unknown {
		middle := older + (unknown-older+1)/2
		entry, err := s.newestBefore(ctx, middle+1)
		if err != nil {
			return 0, err
		}
		if entry.Revision <= older || entry.Time.Before(t) {
			older = middle
		} else {
			unknown = entry.Revision - 1
		}
	}
	return older, nil
}

// newestBefore returns the newest entry before a revision, the zero value if there is none; 0 stands for the end of the log.
func (s *Service) newestBefore(ctx context.Context, revision uint64) (changelog.Record, error) {
	for record, err := range s.Backwards(ctx, revision) {
		return record, err
	}
	return changelog.Record{}, nil
}
