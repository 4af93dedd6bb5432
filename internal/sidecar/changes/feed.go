// Package changes tells which flags may answer otherwise than before: those that changed or depend on something that did, and those
// whose answers begin or cease to be stale. Anyone who keeps answers drops them when it is told so.
//
// # Concurrency properties
//
// A Feed is safe for concurrent use. A Subscription belongs to one goroutine at a time.
package changes

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
)

// staleInterval is how often flags are looked at for answers that become stale without any change.
const staleInterval = 500 * time.Millisecond

// Views is where the current View comes from, such as a cache.Store.
type Views interface {
	// View returns the current View, nil while there is none.
	View() *cache.View
	// Changed returns a channel that is closed when another View takes the place of the current one.
	Changed() <-chan struct{}
}

// Feed compares each View with the one before, once for all subscriptions. Create it with New and run it once.
type Feed struct {
	views Views
	stale func(*eval.Flag) bool

	// What belongs to Run.
	demanding map[string]*eval.Flag // the flags whose answers may become stale
	staleKeys map[string]struct{}   // those of them whose answers are

	mu            sync.Mutex // guards what follows
	view          *cache.View
	subscriptions map[*Subscription]struct{}
}

// New returns a feed that does nothing until Run. stale reports whether an answer of the flag would be stale now; it is only asked for
// flags whose document makes that possible.
func New(views Views, stale func(*eval.Flag) bool) *Feed {
	return &Feed{
		views:         views,
		stale:         stale,
		demanding:     make(map[string]*eval.Flag),
		staleKeys:     make(map[string]struct{}),
		subscriptions: make(map[*Subscription]struct{}),
	}
}

// Run tells subscriptions of changes until ctx ends, and returns nil.
func (f *Feed) Run(ctx context.Context) error {
	ticker := time.NewTicker(staleInterval)
	defer ticker.Stop()
	for {
		changed := f.views.Changed()
		f.step(f.views.View())
		var tick <-chan time.Time
		if len(f.demanding) > 0 {
			tick = ticker.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick:
		}
	}
}

// step tells what is different now.
func (f *Feed) step(view *cache.View) {
	before := f.current()
	keys := make(map[string]struct{})
	if view != before {
		f.compare(before, view, keys)
	}
	f.compareStaleness(keys)
	f.publish(view, sortedKeys(keys))
}

func (f *Feed) current() *cache.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

// compare collects the keys of the flags that are different in the next View, and keeps the list of those that may become stale.
func (f *Feed) compare(before, next *cache.View, keys map[string]struct{}) {
	var old *eval.Ruleset
	if before != nil {
		old = before.Rules()
	}
	for was, is := range next.Rules().Difference(old) {
		if was != nil {
			keys[was.Key()] = struct{}{}
			delete(f.demanding, was.Key())
			delete(f.staleKeys, was.Key())
		}
		if is == nil {
			continue
		}
		keys[is.Key()] = struct{}{}
		if is.Freshness() == eval.FreshnessAlwaysFresh || is.MaxStaleness() > 0 {
			f.demanding[is.Key()] = is
		}
	}
}

// compareStaleness collects the keys of the flags whose answers begin or cease to be stale.
func (f *Feed) compareStaleness(keys map[string]struct{}) {
	for key, flag := range f.demanding {
		_, was := f.staleKeys[key]
		is := f.stale(flag)
		if is == was {
			continue
		}
		keys[key] = struct{}{}
		if is {
			f.staleKeys[key] = struct{}{}
		} else {
			delete(f.staleKeys, key)
		}
	}
}

func sortedKeys(keys map[string]struct{}) []string {
	sorted := make([]string, 0, len(keys))
	for key := range keys {
		sorted = append(sorted, key)
	}
	slices.Sort(sorted)
	return sorted
}

// publish tells all subscriptions. They share the keys.
func (f *Feed) publish(view *cache.View, keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := f.view == nil && view != nil
	f.view = view
	for s := range f.subscriptions {
		s.tell(view, keys, first)
	}
}
