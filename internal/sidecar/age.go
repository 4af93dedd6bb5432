package sidecar

import (
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/sync/follow"
)

// age is how long ago everything that existed was applied. Its zero value is not known.
type age struct {
	value     time.Duration
	known     bool
	estimated bool // an earlier process knew it last; the time between the two is by the wall clock
}

func newAge(log follow.Status, store *cache.Store) age {
	if log.AgeKnown {
		return age{value: log.Age, known: true}
	}
	value, known := store.EstimatedAge()
	return age{value: value, known: known, estimated: known}
}

// seconds returns the age in seconds, nil if it is not known.
func (a age) seconds() *float64 {
	if !a.known {
		return nil
	}
	return new(a.value.Seconds())
}

// keepComplete lets the next process know when knowledge was last complete.
func (s *Sidecar) keepComplete() {
	l := s.link.Load()
	if l == nil {
		return
	}
	if status := l.follower.Status(); status.AgeKnown && status.DifferentState == nil {
		s.store.Complete(status.LastConfirmed)
	}
}
