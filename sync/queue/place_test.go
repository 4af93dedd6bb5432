package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/queue"
)

func openPlace(t *testing.T, url string, wait time.Duration) *queue.Place {
	t.Helper()
	p, err := queue.OpenPlace(t.Context(), connect(t, url), queue.PlaceOptions{
		Stream: flagsync.EventsStream(natstest.Environment), Name: "reader", AckWait: wait, Inactive: time.Hour, Replicas: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// awaitHeld waits until a place holds a message.
func awaitHeld(t *testing.T, p *queue.Place, sequence uint64) {
	t.Helper()
	waiting.UntilNil(t, "a message is held", func() error {
		if err := p.Take(t.Context()); err != nil {
			return err
		}
		if !p.Holds(sequence) {
			return errors.New("it is not")
		}
		return nil
	})
}

func wantProgress(t *testing.T, p *queue.Place, want queue.Progress) {
	t.Helper()
	if got, err := p.Progress(t.Context()); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

// A place advances past everything before in one step, and is remembered.
func TestPlaceAdvancesInOneStep(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	fill(t, open(t, s.URL(), options()), 1, 10)
	p := openPlace(t, s.URL(), time.Hour)
	wantProgress(t, p, queue.Progress{Waiting: 10})
	if err := p.Advance(t.Context(), 7); !errors.Is(err, queue.ErrNotHeld) {
		t.Errorf("advanced to what is not held: %v", err)
	}
	awaitHeld(t, p, 10)
	if err := p.Advance(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if p.Holds(6) || p.Holds(7) || !p.Holds(8) {
		t.Error("what is held is not what lies before the place")
	}
	wantProgress(t, p, queue.Progress{Acknowledged: 7, Waiting: 3})
	wantProgress(t, openPlace(t, s.URL(), time.Hour), queue.Progress{Acknowledged: 7, Waiting: 3})
	s.Restart(t)
	waiting.UntilNil(t, "the server remembers", func() error {
		got, err := p.Progress(t.Context())
		if err == nil && got.Acknowledged != 7 {
			t.Fatalf("the server remembers %d", got.Acknowledged)
		}
		return err
	})
}

// What one publisher holds, another gets when that one lets go, or is not heard of.
func TestPlaceIsShared(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	q := open(t, s.URL(), options())
	fill(t, q, 1, 5)
	first, second := openPlace(t, s.URL(), 500*time.Millisecond), openPlace(t, s.URL(), 500*time.Millisecond)
	awaitHeld(t, first, 5)
	first.Release()
	if first.Holds(5) {
		t.Error("it holds what it has given back")
	}
	awaitHeld(t, second, 5)
	awaitHeld(t, first, 5) // the second did nothing
	if err := first.Working(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if err := first.Advance(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	fill(t, q, 6, 8)
	// Numbers of the first ones are past what the place has: the second cannot go back with them.
	awaitHeld(t, second, 8)
	if err := second.Advance(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	wantProgress(t, first, queue.Progress{Acknowledged: 8})
}

// While a message is worked at, no other publisher gets it.
func TestWorkingKeepsAMessage(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	fill(t, open(t, s.URL(), options()), 1, 2)
	const wait = 2 * time.Second
	first, second := openPlace(t, s.URL(), wait), openPlace(t, s.URL(), wait)
	awaitHeld(t, first, 2)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var slow atomic.Bool // on a machine where that was not said in time, it means nothing
	go func() {
		defer close(done)
		for last := time.Now(); ctx.Err() == nil; time.Sleep(wait / 20) {
			_ = first.Working(ctx, 2)
			slow.Store(slow.Load() || time.Since(last) > wait/2)
			last = time.Now()
		}
	}()
	awaitHeld(t, second, 1) // which nothing was said of
	if second.Holds(2) && !slow.Load() {
		t.Error("the second holds what the first works at")
	}
	cancel()
	<-done
	awaitHeld(t, second, 2)
}

func TestPlaceOfNoStream(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	o := queue.PlaceOptions{Stream: "EVENTS_none", Name: "reader", AckWait: time.Minute, Inactive: time.Hour, Replicas: 1}
	if _, err := queue.OpenPlace(t.Context(), connect(t, s.URL()), o); !errors.Is(err, queue.ErrLost) {
		t.Errorf("opened a place in no stream: %v", err)
	}
	o.Name = ""
	if _, err := queue.OpenPlace(t.Context(), connect(t, s.URL()), o); err == nil {
		t.Error("a place without a name")
	}
}

// A place of a stream that is gone says so.
func TestPlaceIsLost(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	fill(t, open(t, s.URL(), options()), 1, 2)
	p := openPlace(t, s.URL(), time.Minute)
	if _, _, err := queue.Delete(t.Context(), connect(t, s.URL()), flagsync.EventsStream(natstest.Environment)); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the loss is told", func() bool { return errors.Is(p.Take(t.Context()), queue.ErrLost) })
}
