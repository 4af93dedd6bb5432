package flagsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/writer"
)

// muteFeed makes the server republish nothing, which loses what is written
// meanwhile for everybody who follows the feed.
func (l *log) muteFeed(tb testing.TB, mute bool) {
	tb.Helper()
	c := l.server.Client(tb)
	defer c.Close()
	changed := config(tb, c, "FLAGS_prod")
	delete(changed, "republish")
	if !mute {
		changed["republish"] = map[string]string{"src": "flags.prod.>", "dest": "feed.prod.>"}
	}
	if answer := api(tb, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		tb.Fatal(answer["error"])
	}
}

func patient(t *tuning.Follower) { t.HeartbeatTimeout, t.OwnBarrier = time.Hour, time.Hour }

// TestGapIsFilled loses three changes; the next one shows the gap.
func TestGapIsFilled(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	l.muteFeed(t, true)
	for i := range 3 {
		l.write(t, put(fmt.Sprint("lost-", i), "{}"))
	}
	l.muteFeed(t, false)
	if s := r.Status(); s.Applied.Revision != 2 {
		t.Fatalf("applied %d, want that nothing came", s.Applied.Revision)
	}
	head := l.write(t, put("seen", "{}"))
	r.reach(t, head.Revision)
	s := r.Status()
	if s.Gaps != 1 || r.target.count() != 4 {
		t.Errorf("%d gaps and %d documents, want 1 and 4", s.Gaps, r.target.count())
	}
}

// TestABeatShowsALoss loses the last change: only a beat can tell.
func TestABeatShowsALoss(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	l.muteFeed(t, true)
	head := l.write(t, put("lost", "{}"))
	if s := r.Status(); s.Applied.Revision != 2 {
		t.Fatalf("applied %d, want that nothing came", s.Applied.Revision)
	}
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	r.reach(t, head.Revision)
	if s := r.Status(); s.Gaps != 0 {
		t.Errorf("%d gaps, want none that shows", s.Gaps)
	}
}

// TestSilenceIsBroken loses the last change and all beats: the follower asks.
func TestSilenceIsBroken(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, func(t *tuning.Follower) { t.HeartbeatTimeout, t.OwnBarrier = 50*time.Millisecond, 50*time.Millisecond })
	r.until(t, "synced", isSynced)
	l.muteFeed(t, true)
	head := l.write(t, put("lost", "{}"))
	r.reach(t, head.Revision)
}

// TestReconnectFills loses the connection while changes are made.
func TestReconnectFills(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	r := startFollowing(t, connectSidecar(t, p.url()), patient)
	r.until(t, "synced", isSynced)
	for i := range 3 {
		p.Cut()
		head := l.write(t, put(fmt.Sprint("flag-", i), "{}"))
		r.reach(t, head.Revision)
		r.barrier(t)
	}
}

// TestHalfOpenConnectionIsReplaced swallows everything on a connection that
// stays open: the follower notices by itself and connects anew.
func TestHalfOpenConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	r := startFollowing(t, connectSidecar(t, p.url()), func(t *tuning.Follower) {
		t.HeartbeatTimeout, t.OwnBarrier, t.Reconnect = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	})
	r.until(t, "synced", isSynced)
	connections := p.Accepted()
	p.blackHole(true)
	head := l.write(t, put("a", "{}"))
	eventually(t, func() (bool, string) { return p.Accepted() > connections, "another connection" })
	p.blackHole(false)
	r.reach(t, head.Revision)
}

// TestRandomLoss loses parts of the feed and connections at random. Every
// follower ends with the state of a fresh replay.
func TestRandomLoss(t *testing.T) {
	t.Parallel()
	seeds := 2
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			randomLoss(t, rand.New(rand.NewPCG(uint64(seed), 1)))
		})
	}
}

func randomLoss(t *testing.T, random *rand.Rand) {
	t.Helper()
	l := newLog(t)
	run(t, writer.NewHeartbeater(l.Log, testLogger).Run)
	p := newProxy(t, l.server.URL())
	var followers []*running
	join := func() {
		followers = append(followers, startFollowing(t, connectSidecar(t, p.url()), func(t *tuning.Follower) {
			t.AskLeader = 10 * time.Millisecond
		}))
	}
	join()
	muted := false
	for range 60 {
		switch random.IntN(8) {
		case 0:
			muted = !muted
			l.muteFeed(t, muted)
		case 1:
			p.Cut()
		case 2:
			if len(followers) < 4 {
				join()
			}
		default:
			l.write(t, randomDocuments(random)...)
		}
	}
	if muted {
		l.muteFeed(t, false)
	}
	head := l.head(t)
	want := l.replay(t).StateDigest()
	for i, r := range followers {
		r.reach(t, head.Revision)
		s := r.Status()
		if s.Applied != head || r.target.StateDigest() != want {
			t.Errorf("follower %d holds %s at %+v, a fresh replay %s at %+v", i, r.target.StateDigest(), s.Applied, want, head)
		}
		if s.DifferentHistory != nil || s.Hole != nil || s.Fragments != 0 {
			t.Errorf("follower %d: %+v", i, s)
		}
	}
}

// randomDocuments returns one to five changes to a small set of flags.
func randomDocuments(random *rand.Rand) []document.Document {
	documents := make([]document.Document, 1+random.IntN(5))
	for i, n := range random.Perm(12)[:len(documents)] {
		key := fmt.Sprint("flag-", n)
		if documents[i] = put(key, fmt.Sprintf(`{"n":%d}`, random.IntN(1000))); random.IntN(4) == 0 {
			documents[i] = remove(key)
		}
	}
	return documents
}
