package sidecar

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// errNotFollowed is the answer about the log before it is followed.
var errNotFollowed = errors.New("the sidecar does not follow the change log yet")

// followed is the log as the resolver sees it. Until the log is followed, the age of what is served is not known and nothing can be
// confirmed.
type followed struct{ sidecar *Sidecar }

// Age implements resolver.Log.
func (f followed) Age() (age time.Duration, known bool) {
	l := f.sidecar.link.Load()
	if l == nil {
		return 0, false
	}
	return l.follower.Age()
}

// Barrier implements resolver.Log.
func (f followed) Barrier(ctx context.Context) error {
	l := f.sidecar.link.Load()
	if l == nil {
		return errNotFollowed
	}
	return l.follower.Barrier(ctx)
}

// Wait implements resolver.Log.
func (f followed) Wait(ctx context.Context, t changelog.Token) error {
	l := f.sidecar.link.Load()
	if l == nil {
		return errNotFollowed
	}
	return l.follower.WaitToken(ctx, t)
}
