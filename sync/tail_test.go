package flagsync_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
	"github.com/flagside/flagside/sync/writer"
)

// TestALostTailStopsPublishers loses the last entry of a log whose number stays. A
// publisher that went on behind the one before would write another history.
func TestALostTailStopsPublishers(t *testing.T) {
	t.Parallel()
	for name, lacks := range map[string][]uint64{"the last": {5}, "the last two": {4, 5}, "one before noise": {5}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			left := l.write(t, put("a", "0")) // at 3
			if lacks[0] == 5 {
				left = l.write(t, put("a", "1"))
			}
			known := openLog(t, connect(t, l.server.URL()), 1)
			basis, end := l.basis(t, left), uint64(5)
			for head := left; head.Revision < end; {
				head = l.write(t, put("a", `"lost"`))
			}
			c := l.server.Client(t)
			if name == "one before noise" {
				noise := nats.NewMsg("flags.prod." + changelog.Subject(document.ID{Kind: document.KindFlag, Key: "a"}))
				end = store(t, c, noise)
			}
			natstest.Damage(t, c, "FLAGS_prod", end, lacks...)

			if _, err := writer.OpenLog(t.Context(), connect(t, l.server.URL()), writer.LogOptions{Environment: environment, Replicas: 1}); !errors.Is(err, jetstream.ErrHole) {
				t.Errorf("opened anew: %v, want that a message is missing", err)
			}
			if _, err := known.Head(t.Context()); !errors.Is(err, jetstream.ErrHole) {
				t.Errorf("read on: %v, want that a message is missing", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if outcome, err := known.Append(ctx, basis, change("next", put("b", "{}"))); err == nil && outcome.State == writer.Committed {
				t.Errorf("a change is committed behind revision %d, past what is lost", left.Revision)
			}

			renewed := l.renew(t, "repair", put("a", "9"))
			for which, publisher := range map[string]*writer.Log{"that knew the log": known, "that begins": l.Log} {
				if head, err := publisher.Head(t.Context()); err != nil || head != renewed {
					t.Errorf("after it was recreated, one %s has head %v, %v, want %v", which, head, err, renewed)
				}
			}
		})
	}
}
