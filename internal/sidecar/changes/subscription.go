package changes

import (
	"context"
	"maps"
	"slices"

	"github.com/flagside/flagside/cache"
)

// Change is everything that became different since the last Change of a subscription.
type Change struct {
	// Before is the View that the subscriber knows, nil if it knows none, and View the one that took its place. They are the same View
	// when only time has passed.
	Before, View *cache.View
	// Keys are the keys, in order, of the flags whose answers may be different: of those that were changed, added or removed, of those
	// that depend on something that was, and of those whose answers began or ceased to be stale. Shared; must not be modified.
	Keys []string
}

// Subscription receives changes. What happens while it is not asked is gathered into one Change, so a slow subscriber misses nothing
// and costs at most one entry per flag. Close it when done.
type Subscription struct {
	feed *Feed
	wake chan struct{} // holds one value while there is something to say

	// Guarded by feed.mu.
	known   *cache.View // what the subscriber was told of
	next    *cache.View
	shared  []string            // the keys, if they come from a single step
	own     map[string]struct{} // the keys, if they come from several
	pending bool
}

// Subscribe returns a subscription to all changes after the current View, which it returns too; it is nil while there is none, and then
// the first Change brings the first View, even if it has no flags.
func (f *Feed) Subscribe() (*Subscription, *cache.View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{feed: f, wake: make(chan struct{}, 1), known: f.view}
	f.subscriptions[s] = struct{}{}
	return s, f.view
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.subscriptions, s)
}

// Next waits for the next Change. It returns an error only when ctx ends.
func (s *Subscription) Next(ctx context.Context) (Change, error) {
	select {
	case <-ctx.Done():
		return Change{}, ctx.Err()
	case <-s.wake:
		return s.take(), nil
	}
}

func (s *Subscription) take() Change {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	change := Change{Before: s.known, View: s.next, Keys: s.shared}
	if s.own != nil {
		change.Keys = slices.Sorted(maps.Keys(s.own))
	}
	s.known, s.shared, s.own, s.pending = s.next, nil, nil, false
	return change
}

// tell adds one step to what the subscriber has to hear. A step without keys is not worth waking it, except for the first View.
func (s *Subscription) tell(view *cache.View, keys []string, first bool) {
	s.next = view
	switch {
	case !s.pending && len(keys) == 0 && !first:
		s.known = view
		return
	case !s.pending:
		s.pending, s.shared = true, keys
		s.wake <- struct{}{} // there is room: it is empty while nothing is pending
		return
	case len(keys) == 0:
		return
	case s.own == nil:
		s.own = make(map[string]struct{}, len(s.shared)+len(keys))
		add(s.own, s.shared)
		s.shared = nil
	}
	add(s.own, keys)
}

func add(set map[string]struct{}, keys []string) {
	for _, key := range keys {
		set[key] = struct{}{}
	}
}
