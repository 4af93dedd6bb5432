package provision

import (
	"bytes"
	"context"

	"github.com/flagside/flagside/internal/exposurekey"
	flagsync "github.com/flagside/flagside/sync"
)

// exposureKey returns the text of the key for exposures of the environment of a sidecar: the first that it has in a place, else the first that
// another sidecar of the environment has, else a new one. It is nil if none was found and some place could not be read, which may have it: known says
// whether all places of the sidecar could be. The errors are those of reading others.
func (r *run) exposureKey(ctx context.Context, s Sidecar, places []place, known bool) (text []byte, errs []error) {
	if text := keyIn(places); text != nil {
		return text, nil
	}
	for _, other := range r.plan.Sidecars {
		if other.Environment != s.Environment || other.Name == s.Name {
			continue
		}
		theirs, unread := r.places(ctx, other)
		if text := keyIn(theirs); text != nil {
			return text, nil
		}
		errs = append(errs, unread...)
	}
	if !known || len(errs) > 0 {
		return nil, errs
	}
	return exposurekey.New().Text(), nil
}

// keyIn returns the text of the first key for exposures in places, nil if there is none.
func keyIn(places []place) []byte {
	for _, p := range places {
		if key, err := exposurekey.Parse(p.secret.Data[flagsync.CredentialsExposures]); err == nil {
			return key.Text()
		}
	}
	return nil
}

// sameKey reports whether two texts are of one key.
func sameKey(a, b []byte) bool {
	first, errA := exposurekey.Parse(a)
	second, errB := exposurekey.Parse(b)
	return errA == nil && errB == nil && bytes.Equal(first, second)
}
