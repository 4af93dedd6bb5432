package inflight_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/inflight"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	b := inflight.New(1000)
	f := func(bytes, taken int64, ok bool) {
		t.Helper()
		if got, took := b.Take(bytes); got != taken || took != ok {
			t.Errorf("of %d bytes %d are taken, %v, want %d, %v", bytes, got, took, taken, ok)
		}
	}
	f(400, 400, true)
	f(601, 500, true) // half of it, whatever it is
	f(101, 0, false)
	f(100, 100, true)
	f(1, 0, false)
	b.Release(1000)
	if b.Used() != 0 {
		t.Errorf("%d bytes are left over", b.Used())
	}
	const large = 70 << 10
	f(large, 500, true)
	f(large, 0, false) // the last quarter is for what is small
	f(500, 500, true)
}

func TestWaitingForBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := inflight.New(100)
		b.Take(50)
		b.Take(50)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := b.Wait(t.Context(), 50); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				b.Release(50)
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Wait(ctx, 50); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting ends with %v", err)
		}
		begun := time.Now()
		b.Release(50)
		b.Release(50)
		all.Wait()
		if took := time.Since(begun); took != 5*time.Second || b.Used() != 0 {
			t.Errorf("10 times half of it took %s, and %d bytes are left over", took, b.Used())
		}
	})
}
