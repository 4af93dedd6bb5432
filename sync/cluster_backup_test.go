package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// streamBackup is a stream as JetStream hands it out.
type streamBackup struct {
	description map[string]any
	chunks      [][]byte
}

// backUp copies the log while its servers run.
func backUp(tb testing.TB, c *nats.Conn) streamBackup {
	tb.Helper()
	inbox := c.NewInbox()
	chunks, err := c.SubscribeSync(inbox)
	if err != nil {
		tb.Fatal(err)
	}
	b := streamBackup{description: api(tb, c, "STREAM.SNAPSHOT."+flagsOf, map[string]any{"deliver_subject": inbox, "no_consumers": true})}
	if b.description["error"] != nil {
		tb.Fatal(b.description["error"])
	}
	for {
		chunk, err := chunks.NextMsg(patience)
		if err != nil {
			tb.Fatal(err)
		}
		if len(chunk.Data) == 0 {
			return b
		}
		b.chunks = append(b.chunks, chunk.Data)
		if chunk.Reply == "" {
			continue
		}
		if err := chunk.Respond(nil); err != nil {
			tb.Fatal(err)
		}
	}
}

// restore puts a backup in the place of the log, and opens that.
func (l *replicated) restore(tb testing.TB, c *nats.Conn, b streamBackup) {
	tb.Helper()
	if answer := api(tb, c, "STREAM.DELETE."+flagsOf, nil); answer["error"] != nil {
		tb.Fatal(answer["error"])
	}
	var started map[string]any
	waiting.Until(tb, "the servers to have deleted the log", func() bool {
		started = api(tb, c, "STREAM.RESTORE."+flagsOf, map[string]any{"config": b.description["config"], "state": b.description["state"]})
		return started["error"] == nil
	})
	to, _ := started["deliver_subject"].(string)
	for _, chunk := range append(b.chunks, nil) { // the empty one ends it
		if _, err := c.Request(to, chunk, patience); err != nil {
			tb.Fatal(err)
		}
	}
	l.Log = openLog(tb, l.conn, replicas)
}

// TestClusterWithOtherHistories restores the log of three servers from an older
// backup, lets it go on in another way to the same revision, and takes its
// beginning away: followers keep what they have and say what is wrong, until an
// operator begins a new epoch. Behind a hole, and for those that come late, the
// published snapshot is loaded.
func TestClusterWithOtherHistories(t *testing.T) {
	t.Parallel()
	servers, l := newReplicated(t)
	c := servers.Client(t)
	told := newOutcomes()
	told.append(t, l.Log, "op-1")
	backup := backUp(t, c)
	told.append(t, l.Log, "op-2")
	held := l.settled(t)
	r := startFollowing(t, connectSidecar(t, l.url), impatient)
	r.until(t, "synced", isSynced)
	r.reach(t, held.Revision)
	documents := r.target.count()

	l.restore(t, c, backup)
	r.until(t, "a log that ends before", func(s follow.Status) bool { return errors.Is(s.DifferentHistory, follow.ErrRegressed) })
	r.keeps(t, held, documents)

	for n := 0; l.settled(t).Revision < held.Revision; n++ {
		told.append(t, l.Log, fmt.Sprint("other-", n))
	}
	r.until(t, "a log that was forked", func(s follow.Status) bool { return errors.Is(s.DifferentHistory, follow.ErrForked) })
	r.keeps(t, held, documents)

	l.recreate(t, "again", put("a", "{}"), put("b", "{}"))
	told.append(t, l.Log, "op-3")
	l.verifyFollowers(t, []*running{r})

	cutBeginning(t, c, 2)
	late := startFollowing(t, connectSidecar(t, l.url), impatient)
	s := late.until(t, "a hole", func(s follow.Status) bool { return s.Hole != nil })
	if s.Synced || s.AgeKnown || !s.Applied.IsZero() {
		t.Errorf("in front of a hole: %+v", s)
	}
	patiently(t, func(ctx context.Context) error {
		_, err := l.PublishSnapshot(ctx, r.target)
		return err
	})
	for name, late := range map[string]*running{"waiting": late, "late": startFollowing(t, connectSidecar(t, l.url), early)} {
		head := l.settled(t)
		late.until(t, "the head behind the hole", func(s follow.Status) bool { return s.Applied == head && s.Synced && s.Hole == nil })
		if late.target.loaded() != 1 || late.target.StateDigest() != r.target.StateDigest() {
			t.Errorf("%s: %d snapshots loaded, state %s; want one, and the state %s of those before the hole",
				name, late.target.loaded(), late.target.StateDigest(), r.target.StateDigest())
		}
	}
}

// recreate writes documents as a new epoch, and opens the log.
func (l *replicated) recreate(tb testing.TB, op string, documents ...document.Document) changelog.Position {
	tb.Helper()
	var renewed changelog.Position
	patiently(tb, func(ctx context.Context) error {
		environments, err := writer.OpenEnvironments(ctx, l.conn, replicas)
		if err != nil {
			return err
		}
		renewed, err = environments.Recreate(ctx, environment, renewal(op, documents...))
		return err
	})
	l.Log = openLog(tb, l.conn, replicas)
	return renewed
}
