package flagd

import (
	"testing"
	"testing/synctest"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// All streams that are told of a change share its events, unless they have selected other flags.
func TestStreamsShareTheEventsOfAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := historytest.New(t)
		h.Commit(historytest.Flag("a", 1))
		feed := changes.New(h.Store, func(*eval.Flag) bool { return false })
		go func() { _ = feed.Run(t.Context()) }()
		synctest.Wait() // a stream that asks before the feed knows a view is told of that view, too
		first, _ := feed.Subscribe()
		second, _ := feed.Subscribe()
		var shared sent
		var everything, other resolver.Selector
		if err := other.Parse([]byte("flagSetId=other")); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			h.Commit(historytest.Flag("a", n+2))
			synctest.Wait()
			one, err := first.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			two, err := second.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			events := shared.events(&everything, one)
			if len(events) != 1 || len(shared.events(&everything, two)) != 1 || shared.events(&everything, two)[0] != events[0] {
				t.Errorf("change %d: two streams have %d events that they do not share", n, len(events))
			}
			if got := shared.events(&other, two); len(got) != 0 {
				t.Errorf("change %d: a stream of another flag set is told %v", n, got)
			}
		}
	})
}
