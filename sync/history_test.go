package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
)

func impatient(t *tuning.Follower) {
	t.HeartbeatTimeout, t.OwnBarrier = 100*time.Millisecond, 100*time.Millisecond
	t.AskLeader, t.Recheck = 10*time.Millisecond, 50*time.Millisecond
}

// publishRaw writes an entry as a publisher would that signs it and is wrong: at
// the end of the log without compare-and-set, and without a batch.
func (l *log) publishRaw(tb testing.TB, c *nats.Conn, e changelog.Entry) changelog.Position {
	tb.Helper()
	body, err := e.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return publishSigned(tb, c, e, body)
}

// publishSigned writes any bytes with the signature of an entry.
func publishSigned(tb testing.TB, c *nats.Conn, e changelog.Entry, body []byte) changelog.Position {
	tb.Helper()
	head := changelog.Head{
		Position: changelog.Position{Epoch: e.Epoch, Revision: e.Revision, Digest: changelog.Sum(body)}, State: e.State,
	}
	head, err := trusttest.Default().Signer().SignHead(environment, head)
	if err != nil {
		tb.Fatal(err)
	}
	msg := nats.NewMsg("flags.prod." + changelog.Subject(e.ID()))
	msg.Data = body
	msg.Header.Set(changelog.ProofHeader, head.ProofText())
	if sequence := store(tb, c, msg); sequence != e.Revision {
		tb.Fatalf("an entry of revision %d was written at %d", e.Revision, sequence)
	}
	return head.Position
}

// store writes a message to whatever stream takes it, and returns its sequence.
func store(tb testing.TB, c *nats.Conn, msg *nats.Msg) uint64 {
	tb.Helper()
	js := natstest.JetStream(tb, c)
	ack, err := js.PublishMsg(msg)
	if err != nil {
		tb.Fatal(err)
	}
	return ack.Sequence
}

// entry returns number i of n of a transaction, to follow a position. The state
// that the last of them names is none.
func entry(after changelog.Position, op, key string, i, n int) changelog.Entry {
	e := changelog.Entry{
		Environment: environment, Epoch: after.Epoch, Revision: after.Revision + 1, OpID: op, Kind: document.KindFlag, Key: key,
		Index: i, Count: n, Put: []byte(`{}`), Actor: "foreign", Time: time.Unix(2, 0), Prev: after.Link(),
	}
	if i == n {
		e.State = changelog.Sum([]byte("no state"))
	}
	return e
}

// TestFragmentIsDropped writes a transaction that another change interrupts.
func TestFragmentIsDropped(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	c := l.server.Client(t)
	r := startFollowing(t, l.conn)
	r.until(t, "synced", isSynced)

	head := l.head(t)
	for i := 1; i <= 2; i++ { // of three
		head = l.publishRaw(t, c, entry(head, "torn", fmt.Sprint("torn-", i), i, 3))
	}
	r.until(t, "the fragment to be received", func(s follow.Status) bool { return s.Received == 4 && s.Applied.Revision == 2 })
	head = l.write(t, put("whole", "{}"))
	last := entry(head, "torn", "torn-3", 3, 3)
	last.State = l.basis(t, head).State().Digest()
	l.publishRaw(t, c, last)
	head = l.write(t, put("after", "{}"))
	r.reach(t, head.Revision)

	s := r.Status()
	if s.Fragments != 1 || s.LastFragment != "torn" {
		t.Errorf("%d fragments, the last of %q, want 1 of torn", s.Fragments, s.LastFragment)
	}
	if r.target.count() != 2 || r.target.body("whole") == "" || r.target.body("after") == "" {
		t.Errorf("%d documents, want the two of whole changes", r.target.count())
	}
	if got := l.replay(t).StateDigest(); got != r.target.StateDigest() {
		t.Error("a fresh replay ends with another state")
	}
}

// keeps verifies that a follower recognises a different history and serves on
// what it has.
func (r *running) keeps(t *testing.T, want changelog.Position, documents int) {
	t.Helper()
	s := r.until(t, "a different history", func(s follow.Status) bool { return s.DifferentHistory != nil })
	if !errors.Is(s.DifferentHistory, changelog.ErrDifferentHistory) {
		t.Errorf("it says %v, want ErrDifferentHistory", s.DifferentHistory)
	}
	if s.Applied != want || r.target.count() != documents {
		t.Errorf("it holds %d documents of %+v, want %d of %+v", r.target.count(), s.Applied, documents, want)
	}
	confirmed := s.LastConfirmed
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Barrier(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("barrier on a different history: %v, want that it fails at once", err)
	}
	if s := r.Status(); !s.LastConfirmed.Equal(confirmed) {
		t.Error("knowledge of another history got younger")
	}
}

// TestPrevThatDoesNotMatch writes a signed entry that continues another one than the log
// has, as it was written for a log that was replaced: it is noise, for followers and
// for publishers.
func TestPrevThatDoesNotMatch(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, impatient)
	r.reach(t, held.Revision)
	r.until(t, "synced", isSynced)
	foreign := held
	foreign.Digest[0]++
	l.publishRaw(t, l.server.Client(t), entry(foreign, "foreign", "b", 1, 1))
	// The foreign entry carries the epoch and lies ahead, so only the chain
	// can tell.
	s := r.until(t, "noise", func(s follow.Status) bool { return s.Foreign.Messages == 1 })
	if s.Applied != held || s.Received != held.Revision || r.target.count() != 1 {
		t.Errorf("it holds %d documents of %+v, want 1 of %+v", r.target.count(), s.Applied, held)
	}
	r.barrier(t)
	after := l.write(t, put("c", "{}"))
	if after.Revision != held.Revision+2 {
		t.Errorf("the next entry has revision %d, want %d", after.Revision, held.Revision+2)
	}
	r.sees(t, l)
}

// TestStreamDeletedUnderAFollower keeps what there is.
func TestStreamDeletedUnderAFollower(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	if answer := api(t, l.server.Client(t), "STREAM.DELETE.FLAGS_prod", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	s := r.until(t, "a missing stream", func(s follow.Status) bool { return s.StreamMissing })
	if s.Applied != held || r.target.count() != 1 {
		t.Errorf("it holds %d documents of %+v, want 1 of %+v", r.target.count(), s.Applied, held)
	}
	if _, err := l.Head(t.Context()); !errors.Is(err, flagsync.ErrStreamLost) {
		t.Errorf("head: %v, want ErrStreamLost", err)
	}
}

// TestUnreadableEntry stops before an entry of a newer version that a publisher
// signed, and says so; one that no publisher signed stops nothing.
func TestUnreadableEntry(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	noise := nats.NewMsg("flags.prod." + changelog.Subject(document.ID{Kind: document.KindFlag, Key: "b"}))
	noise.Data = []byte(`{"v":3}`)
	store(t, l.server.Client(t), noise)
	held := l.write(t, put("c", "{}"))
	r.reach(t, held.Revision)
	r.barrier(t)
	publishSigned(t, l.server.Client(t), entry(held, "newer", "b", 1, 1), []byte(`{"v":3}`))
	s := r.until(t, "unreadable", func(s follow.Status) bool { return s.Unreadable != nil })
	if !errors.Is(s.Unreadable, changelog.ErrVersion) || s.Applied != held {
		t.Errorf("it says %v at %+v, want ErrVersion at %+v", s.Unreadable, s.Applied, held)
	}
}

// TestAnEpochThatRenewsNothing is signed and follows the head: only a renewal
// replaces a state.
func TestAnEpochThatRenewsNothing(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	begin := entry(held, "epoch-op", document.EpochKey, 1, 1)
	begin.Kind, begin.Epoch, begin.Put = document.KindEpoch, changelog.NewEpoch(time.Now(), held.Epoch), nil
	l.publishRaw(t, l.server.Client(t), begin)
	r.keeps(t, held, 1)
}
