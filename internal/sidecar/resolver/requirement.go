package resolver

import (
	"errors"
	"fmt"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/sync/changelog"
)

// The request headers by which an application demands more than its flags do.
const (
	// HeaderMinRevision names the revision that the answer must rest on at least, as the publisher gave it.
	HeaderMinRevision = "Flagside-Min-Revision"
	// HeaderFreshness asks for a read strategy; the only one there is to ask for is always_fresh.
	HeaderFreshness = "Flagside-Freshness"
)

// ErrRequirement is wrapped by the errors of ParseRequirement.
var ErrRequirement = errors.New("the required freshness cannot be understood")

// ParseRequirement reads the values of the two headers into what Request.Require takes. Empty values require nothing.
func ParseRequirement(revision, freshness []byte) (changelog.Token, eval.Freshness, error) {
	var token changelog.Token
	if len(revision) > 0 {
		var err error
		if token, err = changelog.ParseToken(string(revision)); err != nil {
			return changelog.Token{}, "", fmt.Errorf("%w: %s: %w", ErrRequirement, HeaderMinRevision, err)
		}
	}
	switch {
	case len(freshness) == 0:
		return token, "", nil
	case string(freshness) == string(eval.FreshnessAlwaysFresh):
		return token, eval.FreshnessAlwaysFresh, nil
	default:
		return changelog.Token{}, "", fmt.Errorf("%w: %s: the only value is %s", ErrRequirement, HeaderFreshness, eval.FreshnessAlwaysFresh)
	}
}
