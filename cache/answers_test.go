package cache

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/waiting"
)

// startAnswers returns a memory that is being run until the test ends.
func startAnswers(t *testing.T, limit int64) *Answers[string] {
	t.Helper()
	a := NewAnswers[string](limit)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if limit > 0 {
		waiting.Until(t, "the memory to open", func() bool {
			a.mu.RLock()
			defer a.mu.RUnlock()
			return a.kept != nil
		})
	}
	return a
}

func TestAnswersAreRemembered(t *testing.T) {
	a := startAnswers(t, 1<<20)
	key := []byte("key")
	a.Put(key, "value", 5)
	a.Settle()
	key[0] = 'x' // the memory has its own copy
	if got, ok := a.Get([]byte("key")); !ok || got != "value" {
		t.Errorf("got %q, %v", got, ok)
	}
	if got, ok := a.Get(key); ok {
		t.Errorf("another key has %q", got)
	}
}

func TestAnswersOutsideOfRun(t *testing.T) {
	a := NewAnswers[string](1 << 20)
	check := func(when string) {
		t.Helper()
		a.Put([]byte("key"), "value", 5)
		a.Settle()
		if got, ok := a.Get([]byte("key")); ok {
			t.Errorf("%s: got %q", when, got)
		}
	}
	check("before")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	check("after")
	check("and again")
}

func TestAnswersRememberNothingWithoutMemory(t *testing.T) {
	for _, limit := range []int64{0, -1} {
		a := startAnswers(t, limit)
		a.Put([]byte("key"), "", 0)
		a.Settle()
		if _, ok := a.Get([]byte("key")); ok {
			t.Errorf("limit %d: remembered", limit)
		}
	}
}

// What is kept, and what one answer may take, is bounded by bytes.
func TestAnswersStayWithinTheirBound(t *testing.T) {
	const limit, size = 1 << 20, 10 << 10
	a := startAnswers(t, limit)
	for i := range 4 * limit / size {
		a.Put(fmt.Appendf(nil, "key %d", i), "", size)
		if i%100 == 0 {
			a.Settle()
		}
	}
	a.Settle()
	kept := 0
	for i := range 4 * limit / size {
		if _, ok := a.Get(fmt.Appendf(nil, "key %d", i)); ok {
			kept++
		}
	}
	if kept == 0 || kept*size > limit {
		t.Errorf("%d answers of %d bytes are kept in %d", kept, size, limit)
	}
	a.Put([]byte("large"), "", limit/largestShare)
	a.Settle()
	if _, ok := a.Get([]byte("large")); ok {
		t.Error("one answer may take more than its share")
	}
}

// The memory may end while it is used.
func TestAnswersEndWhileTheyAreUsed(t *testing.T) {
	for range 20 {
		a := NewAnswers[string](1 << 20)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					key := fmt.Appendf(nil, "%d/%d", worker, i%50)
					want := string(key)
					a.Put(key, want, len(want))
					if got, ok := a.Get(key); ok && got != want {
						t.Errorf("key %s has %q", key, got)
					}
				}
			})
		}
		all.Go(func() {
			time.Sleep(2 * time.Millisecond)
			cancel()
		})
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}
