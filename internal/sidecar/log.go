package sidecar

import (
	"context"
	"errors"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// errNotFollowed is the answer about the log before it is followed.
var errNotFollowed = errors.New("the log is not followed yet")

// followed is the log as the resolver sees it.
type followed struct{ sidecar *Sidecar }

// Age implements resolver.Log.
func (f followed) Age() (age time.Duration, known bool) {
	l := f.sidecar.link.Load()
	if l == nil {
		return 0, false
	}
	status := l.follower.Status()
	return status.Age, status.AgeKnown
}

// Barrier implements resolver.Log.
func (f followed) Barrier(ctx context.Context) error {
	l := f.sidecar.link.Load()
	if l == nil {
		return errNotFollowed
	}
	return l.follower.Barrier(ctx)
}

// Wait implements resolver.Log. Whether the revision is of this history shows once it is reached.
func (f followed) Wait(ctx context.Context, t changelog.Token) error {
	l := f.sidecar.link.Load()
	if l == nil {
		return errNotFollowed
	}
	return l.follower.Wait(ctx, t.Revision)
}
