package cache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
)

// run runs s until the returned function is called, which waits for the end.
func run(t *testing.T, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// waitStored waits until the snapshot holds the position of h.
func waitStored(t *testing.T, s *Store, h *history) {
	t.Helper()
	waiting.UntilNil(t, "a snapshot", func() error {
		if at := stored(s); at != h.head.Position {
			return fmt.Errorf("it holds revision %d, want %d", at.Revision, h.head.Revision)
		}
		return nil
	})
}

func stored(s *Store) changelog.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending.stored
}

func TestRunWritesWhenCompleteForTheFirstTime(t *testing.T) {
	s := openStore(t, t.TempDir())
	defer run(t, s)()
	h, begin := newHistory(t)
	apply(t, s, begin)
	s.Synced()
	waitStored(t, s, h)
}

func TestRunWritesWhenTheTailIsLong(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	apply(t, s, h.commit(t, flag("a", 1)))
	if wait := s.untilRewrite(); wait < maxTailAge/2 {
		t.Errorf("a short tail is rewritten in %v", wait)
	}
	s.pending.maxTailSize = s.disk.tailSize + 1
	if wait := s.untilRewrite(); wait < maxTailAge/2 {
		t.Errorf("a tail below the limit is rewritten in %v", wait)
	}
	defer run(t, s)()
	apply(t, s, h.commit(t, flag("a", 2)))
	waitStored(t, s, h)
}

func TestRunWritesWhenTheTailIsOld(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	s.pending.maxTailAge = 20 * time.Millisecond
	defer run(t, s)()
	apply(t, s, h.commit(t, flag("a", 1)))
	waitStored(t, s, h)
}

func TestRunTriesAgain(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	s.pending.retryDelay = time.Millisecond
	defer run(t, s)()
	s.mu.Lock()
	_ = s.disk.tail.Close()
	s.mu.Unlock()
	apply(t, s, h.commit(t, flag("a", 1)))
	waitStored(t, s, h)
}

func TestRunWritesAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	stop := run(t, s)
	apply(t, s, h.commit(t, flag("a", 1)))
	if stored(s) == h.head.Position {
		t.Fatal("the snapshot was written before the end")
	}
	stop()
	waitStored(t, s, h)
	checkView(t, restart(t, s).View(), h)
}

func TestNothingIsWrittenAgainAfterARestart(t *testing.T) {
	s, h := liveStore(t, t.TempDir())
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	s = restart(t, s)
	s.Synced()
	if wait := s.untilRewrite(); wait < time.Hour {
		t.Errorf("the snapshot is written again in %v", wait)
	}
	apply(t, s, h.commit(t, flag("a", 2)))
	if wait := s.untilRewrite(); wait > maxTailAge {
		t.Errorf("the change is in the snapshot in %v", wait)
	}
}

func TestRunInMemoryOnly(t *testing.T) {
	s, h := liveStore(t, "")
	stop := run(t, s)
	apply(t, s, h.commit(t, flag("a", 1)))
	stop()
	checkView(t, s.View(), h)
}

// What was served while the very first snapshot was written is there after a
// kill that comes before that snapshot has got its own tail.
func TestKilledAfterTheFirstSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	h, begin := newHistory(t)
	apply(t, s, begin)
	s.Synced()
	first := s.View()

	s.mu.Lock()
	s.record(first)
	s.mu.Unlock()
	apply(t, s, h.commit(t, flag("served", 1)))
	if err := s.writeSnapshot(first); err != nil {
		t.Fatal(err)
	}
	checkView(t, restoreStore(t, copyDir(t, dir)).View(), h)
}
