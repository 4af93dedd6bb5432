package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/internal/tuning"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// renewal is a state that is written as a new epoch.
func renewal(op string, documents ...document.Document) writer.NewEpoch {
	return writer.NewEpoch{
		OpID: op, Actor: "tester", Reason: "a test", Time: time.Unix(1, 0), Documents: slices.Values(documents), Count: len(documents),
	}
}

// renew writes documents as a new epoch.
func (l *log) renew(tb testing.TB, op string, documents ...document.Document) changelog.Position {
	tb.Helper()
	environments, err := writer.OpenEnvironments(tb.Context(), l.conn, 1)
	if err != nil {
		tb.Fatal(err)
	}
	position, err := environments.Recreate(tb.Context(), environment, renewal(op, documents...))
	if err != nil {
		tb.Fatal(err)
	}
	l.Log = freshLog(tb, l)
	return position
}

func (l *log) deleteStreams(tb testing.TB, streams ...string) {
	tb.Helper()
	c := l.server.Client(tb)
	for _, stream := range streams {
		if answer := api(tb, c, "STREAM.DELETE."+stream, nil); answer["error"] != nil {
			tb.Fatal(answer["error"])
		}
	}
}

// create creates the environment anew, as if it were not known.
func (l *log) create(tb testing.TB) {
	tb.Helper()
	environments, err := writer.OpenEnvironments(tb.Context(), l.conn, 1)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := environments.Create(tb.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
		tb.Fatal(err)
	}
	l.Log = freshLog(tb, l)
}

// fill writes some flags, one a change.
func (l *log) fill(tb testing.TB, prefix string, changes int) changelog.Position {
	tb.Helper()
	for i := range changes {
		l.write(tb, put(fmt.Sprint(prefix, i), fmt.Sprintf(`{"n":%d}`, i)))
	}
	return l.head(tb)
}

// sees verifies that a follower ends with what a fresh replay of the log is, and
// that nothing is wrong any more.
func (r *running) sees(tb testing.TB, l *log) {
	tb.Helper()
	head := l.head(tb)
	r.until(tb, "the head of the log", func(s follow.Status) bool { return s.Applied == head })
	r.barrier(tb)
	s := r.Status()
	if err := errors.Join(s.DifferentHistory, s.Hole, s.Unreadable); err != nil {
		tb.Errorf("at the head of the log it says %v", err)
	}
	if got := l.replay(tb).StateDigest(); got != r.target.StateDigest() {
		tb.Errorf("it holds %d documents of another state than a fresh replay", r.target.count())
	}
}

// TestAnEmptyLogReplacesNothing recreates the stream with nothing in it: by hand,
// and as a new environment without a document.
func TestAnEmptyLogReplacesNothing(t *testing.T) {
	t.Parallel()
	for name, recreate := range map[string]func(*testing.T, *log, map[string]any){
		"no entry": func(t *testing.T, l *log, found map[string]any) {
			t.Helper()
			if answer := api(t, l.server.Client(t), "STREAM.CREATE.FLAGS_prod", found); answer["error"] != nil {
				t.Fatal(answer["error"])
			}
		},
		"its first entry alone": func(t *testing.T, l *log, _ map[string]any) {
			t.Helper()
			l.deleteStreams(t, "CONTROL")
			l.create(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			held := l.fill(t, "flag-", 3)
			target := l.away(t)
			r := startFollowing(t, l.conn, impatient)
			r.until(t, "synced", isSynced)
			found := config(t, l.server.Client(t), "FLAGS_prod")
			l.deleteStreams(t, "FLAGS_prod")
			recreate(t, l, found)
			r.keeps(t, held, 3)
			followInto(t, connectSidecar(t, l.server.URL()), target, impatient).keeps(t, held, 3)
		})
	}
}

// TestANewEpochIsTakenOver recreates the log with other documents as a new epoch,
// shorter than before, as long, and longer, under a follower and while another is
// away. A log that begins as that of a new environment replaces nothing.
func TestANewEpochIsTakenOver(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]int{"shorter": 0, "as long": 2, "longer": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			l.fill(t, "flag-", 3)
			away := l.away(t)
			r := startFollowing(t, l.conn, impatient)
			r.until(t, "synced", isSynced)
			l.deleteStreams(t, "FLAGS_prod")
			l.renew(t, "renewed", put("other", "{}"))
			l.fill(t, "other-", changes)
			r.sees(t, l)
			followInto(t, connectSidecar(t, l.server.URL()), away, impatient).sees(t, l)
			if r.Status().StateTransfers == 0 {
				t.Error("no takeover is counted")
			}
		})
	}
}

// TestRecreateAfterTheStreamIsLost writes what was known as a new epoch, in
// several transactions.
func TestRecreateAfterTheStreamIsLost(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 3)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	old := r.Status().Applied
	l.deleteStreams(t, "FLAGS_prod", "SNAP_prod", "LEDGER_prod")
	r.until(t, "a missing stream", func(s follow.Status) bool { return s.StreamMissing })
	var documents []document.Document
	for i := range 2*changelog.MaxEntries + 10 {
		documents = append(documents, put(fmt.Sprint("again-", i), "{}"))
	}
	position := l.renew(t, "again", documents...)
	if position.Revision != uint64(len(documents))+2 || position.Epoch == old.Epoch {
		t.Errorf("it ends at %+v, want revision %d of a new epoch", position, len(documents)+2)
	}
	r.sees(t, l)
	l.write(t, put("after", "{}"))
	r.sees(t, l)
	if r.Status().StreamMissing {
		t.Error("the stream is still called missing")
	}
}

// TestANewEpochAfterTheOldOne renews the state at the end of an intact log: what
// was before is no part of it.
func TestANewEpochAfterTheOldOne(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	head := l.fill(t, "flag-", 3)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	position := l.renew(t, "renewed", put("only", "{}"))
	if position.Revision != head.Revision+3 {
		t.Errorf("the new epoch ends at revision %d, want %d", position.Revision, head.Revision+3)
	}
	r.sees(t, l)
	if r.target.count() != 1 || r.target.body("only") == "" {
		t.Errorf("%d documents, want the one of the new epoch", r.target.count())
	}
}

// TestAnIncompleteEpochIsNotTakenOver begins a new epoch and leaves it
// unfinished, then finishes another.
func TestAnIncompleteEpochIsNotTakenOver(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.fill(t, "flag-", 3)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	begin := entry(held, "begun", document.EpochKey, 1, 1)
	begin.Kind, begin.Epoch, begin.Put, begin.Complete = document.KindEpoch, changelog.NewEpoch(time.Now(), held.Epoch), nil, 2
	begin.Leaves = held
	c := l.server.Client(t)
	at := l.publishRaw(t, c, begin)
	l.publishRaw(t, c, entry(at, "begun-2", "a", 1, 1))
	r.keeps(t, held, 3)
	if err := r.Status().DifferentHistory; !errors.Is(err, follow.ErrIncomplete) {
		t.Errorf("it says %v, want ErrIncomplete", err)
	}
	fresh := startFollowing(t, connectSidecar(t, l.server.URL()), impatient)
	fresh.until(t, "a new epoch that is not complete", func(s follow.Status) bool { return s.DifferentHistory != nil })
	if s := fresh.Status(); s.Synced || s.AgeKnown {
		t.Errorf("half of a state is called complete: %+v", s)
	}
	l.renew(t, "again", put("whole", "{}"))
	r.sees(t, l)
	fresh.sees(t, l)
}

// away returns what a follower knows that has ended.
func (l *log) away(tb testing.TB) *mapTarget {
	tb.Helper()
	target := newMapTarget(tb)
	l.visit(tb, target)
	return target
}

// visit brings what a follower knew to the head of the log.
func (l *log) visit(tb testing.TB, target *mapTarget) {
	tb.Helper()
	c := connectSidecar(tb, l.server.URL())
	target.adopt(tb, c)
	f, err := follow.New(c, target, follow.Options{Environment: environment, Logger: testLogger})
	if err != nil {
		tb.Fatal(err)
	}
	stop := run(tb, f.Run)
	head := l.head(tb)
	(&running{Follower: f, target: target}).until(tb, "the head of the log", func(s follow.Status) bool { return s.Applied == head })
	stop()
}

// reopen opens the log once the connection is there again.
func (l *log) reopen(tb testing.TB) {
	tb.Helper()
	eventually(tb, func() (bool, string) {
		opened, err := writer.OpenLog(tb.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 1})
		if err == nil {
			l.Log = opened
		}
		return err == nil, fmt.Sprint(err)
	})
}

// backup is a copy of a server's store.
func (l *log) backup(tb testing.TB) string {
	tb.Helper()
	copied := tb.TempDir()
	l.server.Stop(tb)
	if err := os.CopyFS(copied, os.DirFS(l.server.Dir())); err != nil {
		tb.Fatal(err)
	}
	l.server.Restart(tb)
	l.reopen(tb)
	return copied
}

// restore puts a backup in the place of the store.
func (l *log) restore(tb testing.TB, backup string) {
	tb.Helper()
	l.server.Stop(tb)
	dir := l.server.Dir()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700), os.CopyFS(dir, os.DirFS(backup))); err != nil {
		tb.Fatal(err)
	}
	l.server.Restart(tb)
	l.reopen(tb)
	l.bases.forget()
}

// TestARegressedLogIsNotFollowed restores the store from an older backup. It is
// the same epoch, so it is open whether that was meant, until a publisher
// begins a new one.
func TestARegressedLogIsNotFollowed(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 2)
	backup := l.backup(t)
	held := l.fill(t, "later-", 2)
	away := l.away(t)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	l.restore(t, backup)
	r.keeps(t, held, 4)
	if err := r.Status().DifferentHistory; !errors.Is(err, follow.ErrRegressed) {
		t.Errorf("it says %v, want ErrRegressed", err)
	}
	late := followInto(t, connectSidecar(t, l.server.URL()), away, impatient)
	late.keeps(t, held, 4)
	l.renew(t, "decided", put("flag-0", "{}"), put("later-1", "{}"))
	r.sees(t, l)
	late.sees(t, l)
}

// TestAForkedLogIsNotFollowed continues two copies of a store each in its own
// way, to the same revision and beyond it.
func TestAForkedLogIsNotFollowed(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]int{"as long": 2, "longer": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			l.fill(t, "flag-", 2)
			backup := l.backup(t)
			held := l.fill(t, "one-", 2)
			away := l.away(t)
			r := startFollowing(t, l.conn, impatient)
			r.until(t, "synced", isSynced)
			l.restore(t, backup)
			l.fill(t, "other-", changes)
			r.keeps(t, held, 4)
			r.until(t, "a fork", func(s follow.Status) bool { return errors.Is(s.DifferentHistory, follow.ErrForked) })
			late := followInto(t, connectSidecar(t, l.server.URL()), away, impatient)
			late.keeps(t, held, 4)
			l.renew(t, "decided", put("one-0", "{}"))
			r.sees(t, l)
			late.sees(t, l)
		})
	}
}

// TestNoBarrierOnAForkedLog forks a log at the revision that is applied: the
// leader names what is here, and yet that proves nothing.
func TestNoBarrierOnAForkedLog(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 2)
	backup := l.backup(t)
	l.fill(t, "one-", 2)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	l.restore(t, backup)
	l.fill(t, "other-", 2)
	r.until(t, "a fork", func(s follow.Status) bool { return errors.Is(s.DifferentHistory, follow.ErrForked) })
	for range 3 {
		if err := r.Barrier(t.Context()); err == nil {
			t.Fatal("a barrier succeeded on a forked log")
		}
	}
}

// TestALogThatWentBackAnEpoch restores a backup from before the epoch began:
// its epoch is another one, but not a new one. Who begins again under it
// remembers that, too.
func TestALogThatWentBackAnEpoch(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 2)
	backup := l.backup(t)
	away := l.away(t)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	held := l.renew(t, "second", put("a", "{}"), put("b", "{}"), put("c", "{}"))
	r.sees(t, l)
	l.visit(t, away)
	l.restore(t, backup)
	r.keeps(t, held, 3)
	late := followInto(t, connectSidecar(t, l.server.URL()), away, impatient)
	late.keeps(t, held, 3)
	l.renew(t, "third", put("d", "{}"))
	r.sees(t, l)
	late.sees(t, l)
}

// cutBeginning takes the first entries out of the log, which its own settings
// forbid.
func cutBeginning(tb testing.TB, c *nats.Conn, keep int) {
	tb.Helper()
	changed := config(tb, c, "FLAGS_prod")
	changed["max_msgs"] = keep
	if answer := api(tb, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		tb.Fatal(answer["error"])
	}
	changed["max_msgs"] = -1
	if answer := api(tb, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		tb.Fatal(answer["error"])
	}
}

// TestAHole takes the beginning of the log away from followers that need it. A
// sidecar passes it by a published snapshot, a publisher only when a new epoch
// begins behind it.
func TestAHole(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.fill(t, "flag-", 2)
	away := l.away(t)
	l.fill(t, "more-", 4)
	knows := l.away(t)
	cutBeginning(t, l.server.Client(t), 2)

	r := startFollowing(t, l.conn, impatient)
	inTheMiddle := followInto(t, l.conn, away, impatient)
	publisher := followAs(t, l.conn, follow.Options{Environment: environment, Logger: testLogger, HoldAtHole: true}, impatient)
	for _, r := range []*running{r, publisher, inTheMiddle} {
		s := r.until(t, "a hole", func(s follow.Status) bool { return s.Hole != nil })
		if s.Synced || s.AgeKnown || s.Applied.Revision > 4 {
			t.Errorf("beyond a hole: %+v", s)
		}
	}
	if inTheMiddle.target.count() != 2 {
		t.Errorf("%d documents before the hole, want 2", inTheMiddle.target.count())
	}

	if published, err := l.PublishSnapshot(t.Context(), knows); err != nil || !published {
		t.Fatalf("published %v, %v", published, err)
	}
	for _, r := range []*running{r, inTheMiddle} {
		head := l.head(t)
		r.until(t, "what lies behind the hole", func(s follow.Status) bool { return s.Applied == head && s.Synced && s.Hole == nil })
		if r.target.StateDigest() != knows.StateDigest() {
			t.Error("behind the hole it holds another state")
		}
	}
	if s := publisher.Status(); s.Hole == nil || s.Applied.Revision != 0 {
		t.Errorf("a publisher passed a hole by itself: %+v", s)
	}

	l.renew(t, "decided", put("a", "{}"), put("b", "{}"))
	for _, r := range []*running{r, inTheMiddle, publisher} {
		r.sees(t, l)
	}
}

func followAs(tb testing.TB, c *flagsync.Conn, o follow.Options, tune ...func(*tuning.Follower)) *running {
	tb.Helper()
	target := newMapTarget(tb)
	f, err := follow.New(c, target, o)
	if err != nil {
		tb.Fatal(err)
	}
	for _, t := range tune {
		f.Tune(t)
	}
	run(tb, f.Run)
	return &running{Follower: f, target: target}
}

// TestAnotherWriterInterruptsARenewal leaves the new epoch incomplete, and says
// so.
func TestAnotherWriterInterruptsARenewal(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	held := l.fill(t, "flag-", 2)
	r := startFollowing(t, l.conn, impatient)
	r.until(t, "synced", isSynced)
	environments, err := writer.OpenEnvironments(t.Context(), l.conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := l.server.Client(t)
	interrupted := renewal("interrupted")
	interrupted.Count = changelog.MaxEntries + 5
	interrupted.Documents = func(yield func(document.Document) bool) {
		for i := range interrupted.Count {
			if i == changelog.MaxEntries-1 { // the first transaction is written
				l.publishForeign(t, c)
			}
			if !yield(put(fmt.Sprint("new-", i), "{}")) {
				return
			}
		}
	}
	if _, err := environments.Recreate(t.Context(), environment, interrupted); err == nil {
		t.Fatal("an interrupted renewal is reported as done")
	}
	r.keeps(t, held, 2)
	l.renew(t, "again", put("a", "{}"))
	r.sees(t, l)
}

// publishForeign writes what follows the head, as a publisher would that does
// not know of the renewal.
func (l *log) publishForeign(tb testing.TB, c *nats.Conn) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	head, err := l.Head(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	l.publishRaw(tb, c, entry(head, "foreign", "foreign", 1, 1))
}
