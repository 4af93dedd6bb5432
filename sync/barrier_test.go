package flagsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
)

// TestBarrierShowsWhatWasCommitted makes barriers from many goroutines, with
// the feed and while it is lost: each must see what was committed before it
// began, so it may not have joined one that was sent earlier, and none may fail
// because the feed is faster than the answer of the leader.
func TestBarrierShowsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	for name, muted := range map[string]bool{"with the feed": false, "without the feed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			barriersWhileWriting(t, muted)
		})
	}
}

func barriersWhileWriting(t *testing.T, muted bool) {
	t.Helper()
	l := newLog(t)
	r := startFollowing(t, connectSidecar(t, l.server.URL()), patient)
	r.until(t, "synced", isSynced)
	if muted {
		l.muteFeed(t, true)
	}

	var mu sync.Mutex
	committed := uint64(2)
	newest := func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return committed
	}
	writing, written := context.WithCancel(t.Context())
	defer written()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for writing.Err() == nil {
				want := newest()
				if err := within(t, patience, r.Barrier); err != nil { // each of them: a hundred writes take longer on a busy machine
					t.Error(err)
					return
				}
				if got := r.Status().Applied.Revision; got < want {
					t.Errorf("after the barrier %d is applied, %d was committed before it", got, want)
				}
			}
		})
	}
	for i := range 100 {
		head := l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, i)))
		mu.Lock()
		committed = head.Revision
		mu.Unlock()
	}
	written()
	wg.Wait()
}

// TestBarrierEndsWithItsContext blocks on a server that swallows everything.
func TestBarrierEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	r := startFollowing(t, connectSidecar(t, p.url()), patient)
	r.until(t, "synced", isSynced)
	p.blackHole(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := r.Barrier(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("barrier: %v, want the end of its context", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s to end", took)
	}
	p.blackHole(false)
}

// TestBarrierBelowOurs names a head below what is applied.
func TestBarrierBelowOurs(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, put("a", "{}"))
	r := startFollowing(t, l.conn, patient)
	r.until(t, "synced", isSynced)
	confirmed := r.Status().LastConfirmed
	l.deleteStreams(t, "FLAGS_prod", "CONTROL")
	l.create(t)
	if err := r.Barrier(t.Context()); err == nil {
		t.Error("a barrier succeeds although the leader does not have what is applied")
	}
	if s := r.Status(); !s.LastConfirmed.Equal(confirmed) {
		t.Error("a barrier that failed confirmed something")
	}
}

// TestNoBarrierOutlivesItsFollower leaves no caller waiting.
func TestNoBarrierOutlivesItsFollower(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	f, err := follow.New(connectSidecar(t, p.url()), newMapTarget(t), follow.Options{Environment: environment, Logger: testLogger})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, f.Run)
	(&running{Follower: f}).until(t, "synced", isSynced)
	p.blackHole(true)
	results := make(chan error, 2)
	go func() { results <- f.Barrier(context.Background()) }()
	go func() { results <- f.Wait(context.Background(), 99) }()
	stop()
	for range 2 {
		select {
		case err := <-results:
			if err == nil {
				t.Error("waiting ended with success")
			}
		case <-time.After(patience):
			t.Fatal("a caller still waits for a follower that has stopped")
		}
	}
}

// TestBarrierEndsWithTheConnection does not wait for an answer that cannot come
// any more.
func TestBarrierEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	r := startFollowing(t, connectSidecar(t, p.url()), patient)
	r.until(t, "synced", isSynced)
	p.blackHole(true)
	result := make(chan error, 1)
	go func() { result <- r.Barrier(t.Context()) }()
	eventually(t, func() (bool, string) { return p.Dropped() > 0, "the question to be swallowed" })
	begin := time.Now()
	p.Cut()
	if err := <-result; !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("barrier: %v, want ErrUnreachable", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it waited %s for an answer after the connection was cut", took)
	}
	p.blackHole(false)
}
