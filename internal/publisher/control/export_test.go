package control

import (
	"context"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Search looks for a claimed request among records, as Apply does in the log.
func Search(r Request, records []changelog.Record) Finding {
	var found Finding
	for _, entry := range records {
		if entry.Revision > r.Claim.Position.Revision {
			found.add(r, entry)
		}
	}
	return found
}

// Merge applies a merge patch.
func Merge(target, patch []byte) ([]byte, error) { return merge(target, patch) }

// Summarize tells the ledger how many requests no one was authenticated for, as Run does once a minute.
func (s *Service) Summarize(ctx context.Context, since time.Time) { s.summarize(ctx, since) }

// Bases exposes what a change of documents is bound to.
func Bases(s State, changes []document.Document) []Base { return bases(s, changes) }
