package flagsync_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// questions counts what the leader is asked about the end of the log.
func (l *log) questions(tb testing.TB) *atomic.Int64 {
	tb.Helper()
	c := l.server.Client(tb)
	count := new(atomic.Int64)
	if _, err := c.Subscribe("$JS.API.STREAM.INFO.FLAGS_prod", func(*nats.Msg) { count.Add(1) }); err != nil {
		tb.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		tb.Fatal(err)
	}
	return count
}

func leaderBreaker(f *follow.Follower) follow.Breaker { return f.Breakers()[0] }

// TestBarriersShareQuestions asks for 10,000 barriers a second. The leader gets
// one question at a time, at most one a millisecond, and everybody is answered.
func TestBarriersShareQuestions(t *testing.T) {
	l := newLog(t)
	count := l.questions(t)
	r := startFollowing(t, connectSidecar(t, l.server.URL()), patient)
	r.until(t, "synced", isSynced)
	const callers, each, pause = 500, 40, 50 * time.Millisecond
	begin, before := time.Now(), count.Load()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * pause / callers) // so that they do not come at once
			ticker := time.NewTicker(pause)
			defer ticker.Stop()
			for range each {
				if err := r.Barrier(t.Context()); err != nil {
					t.Error(err)
					return
				}
				<-ticker.C
			}
		})
	}
	wg.Wait()
	took, asked := time.Since(begin), count.Load()-before
	t.Logf("%d barriers in %s took %d questions", callers*each, took, asked)
	if most := took.Milliseconds() + 2; asked == 0 || asked > most {
		t.Errorf("%d questions in %s, want 1 to %d", asked, took, most)
	}
}

// TestBarrierSpacing makes barriers without a pause: the options keep them apart.
func TestBarrierSpacing(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	target := newMapTarget(t)
	f, err := follow.New(connectSidecar(t, l.server.URL()), target, follow.Options{
		Environment: environment, BarrierSpacing: 100 * time.Millisecond, Logger: testLogger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run(t, f.Run))
	begin := time.Now()
	const n = 6
	for range n {
		if err := f.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took < (n-2)*100*time.Millisecond {
		t.Errorf("%d barriers took %s", n, took)
	}
}

// TestAnOpenBreakerAnswersAtOnce takes the server away: after a question that
// failed no call waits, and soon after the server is back barriers succeed again.
func TestAnOpenBreakerAnswersAtOnce(t *testing.T) {
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	r := startFollowing(t, connectSidecar(t, p.url()), patient)
	r.until(t, "synced", isSynced)
	if b := leaderBreaker(r.Follower); b.State != "closed" || b.Error != nil || b.Requests == 0 {
		t.Errorf("breaker %+v while all is well", b)
	}
	p.blackHole(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Barrier(ctx); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Fatalf("barrier: %v", err)
	}
	b := leaderBreaker(r.Follower)
	if b.State == "closed" || b.Failures == 0 || b.Error == nil {
		t.Errorf("breaker %+v after a failure", b)
	}
	const n = 1000
	begin := time.Now()
	for range n {
		if err := r.Barrier(ctx); !errors.Is(err, flagsync.ErrUnreachable) {
			t.Fatalf("barrier: %v", err)
		}
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("%d refusals took %s", n, took)
	}
	if allocations := testing.AllocsPerRun(100, func() { _ = r.Barrier(ctx) }); allocations > 0 {
		t.Errorf("a refusal allocates %v times", allocations)
	}
	p.blackHole(false)
	p.Cut()
	eventually(t, func() (bool, string) { return r.Barrier(ctx) == nil, "a barrier to succeed" })
	if b := leaderBreaker(r.Follower); b.State != "closed" || b.Failures != 0 || b.Error != nil {
		t.Errorf("breaker %+v after the outage", b)
	}
}

// TestWaitToken waits for revisions of this epoch only.
func TestWaitToken(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	r := startFollowing(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	next := r.Status().Applied.Token()
	next.Revision++
	result := make(chan error, 1)
	go func() { result <- r.WaitToken(t.Context(), next) }()
	l.write(t, put("a", "{}"))
	if err := <-result; err != nil {
		t.Error(err)
	}
	next.Epoch = "00000000"
	if err := r.WaitToken(t.Context(), next); !errors.Is(err, follow.ErrOtherEpoch) {
		t.Errorf("a revision of another epoch: %v", err)
	}
}

// TestAgeIsThatOfStatus reads the age without allocating.
func TestAgeIsThatOfStatus(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	f, err := follow.New(l.conn, newMapTarget(t), follow.Options{Environment: environment, Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	if _, known := f.Age(); known {
		t.Error("the age is known before anything was heard")
	}
	t.Cleanup(run(t, f.Run))
	if err := f.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	least := f.Status()
	age, known := f.Age()
	if !known || age < least.Age {
		t.Errorf("age %s, known %t; a moment before it was %s", age, known, least.Age)
	}
}
