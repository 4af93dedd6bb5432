package control

import "github.com/flagside/flagside/sync/changelog"

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
