package flagsync_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// early lets a follower take a published snapshot whatever it saves.
func early(t *tuning.Follower) { t.SnapshotGain = 1 }

// incompressible returns a document of about so many bytes.
func incompressible(key string, bytes int, seed uint64) document.Document {
	random := rand.New(rand.NewPCG(seed, 0))
	text := make([]byte, bytes/2)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	return put(key, `"`+hex.EncodeToString(text)+`"`)
}

// publish publishes the state of the log as a snapshot.
func (l *log) publish(tb testing.TB) changelog.Position {
	tb.Helper()
	state := l.away(tb)
	published, err := l.PublishSnapshot(tb.Context(), state)
	if err != nil || !published {
		tb.Fatalf("published %v, %v", published, err)
	}
	return state.Position()
}

// chunks returns the subjects of all chunks.
func (l *log) chunks(tb testing.TB) []string {
	tb.Helper()
	info := api(tb, l.server.Client(tb), "STREAM.INFO.SNAP_prod", map[string]any{"subjects_filter": "snap.prod.chunk.>"})
	state, _ := info["state"].(map[string]any)
	found, _ := state["subjects"].(map[string]any)
	var subjects []string
	for subject := range found {
		subjects = append(subjects, subject)
	}
	return subjects
}

// TestBeginWithAPublishedSnapshot joins from a snapshot of several chunks while
// the log grows.
func TestBeginWithAPublishedSnapshot(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for i := range 20 { // each document twice, so that a snapshot saves something
		for n := range 2 {
			l.write(t, incompressible(fmt.Sprint("large-", i), 200<<10, uint64(10*i+n)))
		}
	}
	l.publish(t)
	if n := len(l.chunks(t)); n < 3 {
		t.Fatalf("%d chunks, want several", n)
	}
	var wg sync.WaitGroup
	wg.Go(func() { l.fill(t, "flag-", 50) })
	fresh := startFollowing(t, connectSidecar(t, l.server.URL()), early)
	wg.Wait()
	fresh.sees(t, l)
	if fresh.target.loaded() != 1 || fresh.Status().StateTransfers != 0 {
		t.Errorf("%d snapshots loaded, %d takeovers, want one and none", fresh.target.loaded(), fresh.Status().StateTransfers)
	}
}

// TestASnapshotThatSavesLittleIsNotRead reads the log when that is less.
func TestASnapshotThatSavesLittleIsNotRead(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 10)
	behind := l.away(t)
	for range 20 {
		l.write(t, put("again", "{}"))
	}
	l.publish(t)
	for name, r := range map[string]*running{
		"few entries":           startFollowing(t, connectSidecar(t, l.server.URL())),
		"few more entries":      followInto(t, connectSidecar(t, l.server.URL()), behind, func(t *tuning.Follower) { t.SnapshotGain = 30 }),
		"not without a history": followInto(t, connectSidecar(t, l.server.URL()), l.away(t), early),
	} {
		r.sees(t, l)
		if r.target.loaded() != 0 {
			t.Errorf("%s: a snapshot was loaded", name)
		}
	}
}

// TestADamagedSnapshotIsNotUsed alters or removes what was published; the log is
// read instead.
func TestADamagedSnapshotIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(testing.TB, *log, *nats.Conn, string){
		"a chunk is missing": func(tb testing.TB, _ *log, c *nats.Conn, subject string) {
			tb.Helper()
			api(tb, c, "STREAM.PURGE.SNAP_prod", map[string]any{"filter": subject})
		},
		"a chunk is altered": func(tb testing.TB, _ *log, c *nats.Conn, subject string) {
			tb.Helper()
			js := natstest.JetStream(tb, c)
			m, err := js.GetLastMsg("SNAP_prod", subject)
			if err != nil {
				tb.Fatal(err)
			}
			m.Data[len(m.Data)/2] ^= 1
			if _, err := js.Publish(subject, m.Data); err != nil {
				tb.Fatal(err)
			}
		},
		"a chunk is cut": func(tb testing.TB, _ *log, c *nats.Conn, subject string) {
			tb.Helper()
			js := natstest.JetStream(tb, c)
			if _, err := js.Publish(subject, []byte("x")); err != nil {
				tb.Fatal(err)
			}
		},
		"its log is gone": func(tb testing.TB, l *log, _ *nats.Conn, _ string) {
			tb.Helper()
			l.deleteStreams(tb, "FLAGS_prod")
			l.renew(tb, "renewed", put("only", "{}"))
		},
		"the manifest cannot be read": func(tb testing.TB, _ *log, c *nats.Conn, _ string) {
			tb.Helper()
			js := natstest.JetStream(tb, c)
			if _, err := js.Publish("snap.prod.manifest", []byte(`{"v":2}`)); err != nil {
				tb.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			for range 20 {
				l.write(t, put("again", `"`+strings.Repeat("x", 1000)+`"`))
			}
			l.publish(t)
			damage(t, l, l.server.Client(t), l.chunks(t)[0])
			fresh := startFollowing(t, connectSidecar(t, l.server.URL()), early, impatient)
			fresh.sees(t, l)
			if fresh.target.loaded() > 1 || fresh.target.count() != 1 {
				t.Errorf("%d snapshots loaded, %d documents", fresh.target.loaded(), fresh.target.count())
			}
		})
	}
}

// TestTheTwoNewestSnapshotsStay publishes several, older and equal ones too.
func TestTheTwoNewestSnapshotsStay(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	var states []*mapTarget
	for i := range 3 {
		l.fill(t, fmt.Sprint("flag-", i, "-"), 2)
		states = append(states, l.away(t))
	}
	f := func(i int, want bool) {
		t.Helper()
		if published, err := l.PublishSnapshot(t.Context(), states[i]); err != nil || published != want {
			t.Fatalf("state %d: published %v, %v, want %v", i, published, err, want)
		}
	}
	f(1, true)
	f(0, false) // older
	f(1, false) // the same
	f(2, true)
	l.fill(t, "last-", 2)
	states = append(states, l.away(t))
	f(3, true)
	if n := len(l.chunks(t)); n != 3 {
		t.Fatalf("%d chunks before the purge, want 3", n)
	}
	if err := l.PurgeSnapshots(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, subject := range l.chunks(t) {
		if strings.Contains(subject, fmt.Sprintf(".%d.", states[1].Position().Revision)) {
			t.Errorf("%s was replaced and is still there", subject)
		}
	}
	if n := len(l.chunks(t)); n != 2 {
		t.Errorf("%d chunks after the purge, want those of the two newest", n)
	}
	foreign := l.away(t)
	foreign.head.Digest[0]++
	foreign.head.Revision--
	if _, err := l.PublishSnapshot(t.Context(), foreign); !errors.Is(err, changelog.ErrDifferentHistory) {
		t.Errorf("a state of another history: %v, want ErrDifferentHistory", err)
	}
	renewed := l.renew(t, "renewed", put("a", "{}"))
	if got := l.publish(t); got != renewed {
		t.Errorf("published %+v, want %+v of the new epoch", got, renewed)
	}
	if published, err := l.PublishSnapshot(t.Context(), states[3]); err != nil || published {
		t.Errorf("a state of the old epoch: %v, %v, want it unpublished", published, err)
	}
}

// TestSnapshotsOfTwoPublishersAtOnce races for the manifest: one wins, and what
// the others wrote is freed.
func TestSnapshotsOfTwoPublishersAtOnce(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	for round := range 5 {
		l.fill(t, fmt.Sprint("flag-", round, "-"), 3)
		var wg sync.WaitGroup
		var mu sync.Mutex
		wins := 0
		for range 3 {
			state, own := l.away(t), freshLog(t, l)
			wg.Go(func() {
				published, err := own.PublishSnapshot(t.Context(), state)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if published {
					wins++
				}
			})
		}
		wg.Wait()
		if wins == 0 {
			t.Error("no publisher has published")
		}
	}
	if err := l.PurgeSnapshots(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(l.chunks(t)); n != 2 {
		t.Errorf("%d chunks, want those of the two newest", n)
	}
	fresh := startFollowing(t, connectSidecar(t, l.server.URL()), func(t *tuning.Follower) { t.SnapshotGain = 0 })
	fresh.sees(t, l)
}

// TestSnapshotsArePublishedAsTheLogGrows runs the snapshotters of two publishers
// beside an environment that has no stream for snapshots yet.
func TestSnapshotsArePublishedAsTheLogGrows(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.deleteStreams(t, "SNAP_prod")
	r := startFollowing(t, l.conn)
	r.until(t, "synced", isSynced)
	state := func() writer.Snapshot { return r.target }
	for range 2 {
		s := writer.NewSnapshotter(freshLog(t, l), state, testLogger)
		s.Tune(func(t *tuning.Snapshots) {
			*t = tuning.Snapshots{Look: 10 * time.Millisecond, Idle: 20 * time.Millisecond, Entries: 10, Bytes: 1 << 30, Purge: 50 * time.Millisecond}
		})
		run(t, s.Run)
	}
	newest := func() int {
		c := l.server.Client(t)
		defer c.Close()
		js := natstest.JetStream(t, c)
		m, err := js.GetLastMsg("SNAP_prod", "snap.prod.manifest")
		if err != nil {
			return 0
		}
		_, rest, _ := strings.Cut(string(m.Data), `"revision":`)
		var revision int
		if _, err := fmt.Sscan(strings.SplitN(rest, ",", 2)[0], &revision); err != nil {
			t.Fatal(err)
		}
		return revision
	}
	for round := 1; round <= 4; round++ {
		l.fill(t, fmt.Sprint("flag-", round, "-"), 10)
		eventually(t, func() (bool, string) {
			at := newest()
			return at > 10*(round-1), fmt.Sprintf("round %d: the newest snapshot is at revision %d", round, at)
		})
	}
	eventually(t, func() (bool, string) {
		n := len(l.chunks(t))
		return n == 2, fmt.Sprintf("the purge: %d chunks", n)
	})
	renewed := l.renew(t, "renewed", put("a", "{}"))
	eventually(t, func() (bool, string) {
		at := newest()
		return uint64(at) == renewed.Revision, fmt.Sprintf("the snapshot of the new epoch: it is at revision %d", at)
	})
	fresh := startFollowing(t, connectSidecar(t, l.server.URL()), early)
	fresh.sees(t, l)
}

// TestAnotherHistoryComesAsItsSnapshot leaves a history by the published
// snapshot of the one that took its place.
func TestAnotherHistoryComesAsItsSnapshot(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 3)
	behind := l.away(t)
	l.deleteStreams(t, "FLAGS_prod")
	l.renew(t, "renewed", put("a", "{}"), put("b", "{}"))
	l.publish(t)
	l.fill(t, "more-", 2)
	// Only the snapshot can have been read: the log is gone where it begins.
	cutBeginning(t, l.server.Client(t), 3)
	r := followInto(t, l.conn, behind, impatient)
	head := l.head(t)
	r.until(t, "the new history", func(s follow.Status) bool { return s.Applied == head })
	r.barrier(t)
	if r.target.loaded() != 1 || r.target.count() != 4 {
		t.Errorf("%d snapshots loaded, %d documents, want 1 and 4", r.target.loaded(), r.target.count())
	}
}

// TestASnapshotIsNotPublishedWithoutTheLog ends with its context.
func TestASnapshotIsNotPublishedWithoutTheLog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	state := l.away(t)
	l.server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if published, err := l.PublishSnapshot(ctx, state); published || !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("published %v, %v, want ErrUnreachable", published, err)
	}
}
