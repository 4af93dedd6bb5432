package follow

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/flagside/flagside/sync/changelog"
)

// Wait returns nil once revision is applied, or an error when ctx ends before.
func (f *Follower) Wait(ctx context.Context, revision uint64) error {
	return f.wait(ctx, changelog.Token{Revision: revision})
}

// WaitToken returns nil once the revision that t names is applied and the state
// is complete. It fails with [ErrOtherEpoch] as soon as something of another
// epoch than that of t is applied, which may be at once, and when ctx ends.
func (f *Follower) WaitToken(ctx context.Context, t changelog.Token) error {
	return f.wait(ctx, t)
}

func (f *Follower) wait(ctx context.Context, t changelog.Token) error {
	w := &waiter{token: t, done: make(chan error, 1)}
	over, err := w.outcome(f.status.Load())
	if !over {
		err = f.await(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("wait for revision %d: %w", t.Revision, err)
	}
	return nil
}

func (f *Follower) await(ctx context.Context, w *waiter) error {
	defer w.gone.Store(true)
	select {
	case f.waiters <- w:
	case <-f.stopped:
		return errStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waiter is a caller that waits for a revision, in the epoch of the token if that
// names one.
type waiter struct {
	token changelog.Token
	done  chan error // of one
	gone  atomic.Bool
}

// outcome returns whether the waiting is over, and how it ended.
func (w *waiter) outcome(s *Status) (over bool, err error) {
	reached := s.Applied.Revision >= w.token.Revision
	switch {
	case w.token.Epoch == "":
		return reached, nil
	case !s.Applied.IsZero() && !w.token.In(s.Applied.Epoch):
		return true, fmt.Errorf("%w: %s is asked for, %s is applied", ErrOtherEpoch, w.token, s.Applied.Token())
	default:
		return reached && s.Synced, nil
	}
}

// enqueue takes a caller that waits.
func (s *followLoop) enqueue(w *waiter) {
	s.waiting = append(slices.DeleteFunc(s.waiting, func(w *waiter) bool { return w.gone.Load() }), w)
}

// resolveWaiters ends the waiting for what is applied now.
func (s *followLoop) resolveWaiters() {
	now := Status{Applied: s.applied, Synced: s.current.Synced}
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		over, err := w.outcome(&now)
		if over {
			s.finished = append(s.finished, func() { w.done <- err })
		}
		return over
	})
}

// deliver tells those whose waiting is over. The status shows already what they
// waited for.
func (s *followLoop) deliver() {
	for _, tell := range s.finished {
		tell()
	}
	s.finished = nil
}

// stop ends all waiting.
func (s *followLoop) stop() {
	for _, w := range s.waiting {
		s.finished = append(s.finished, func() { w.done <- errStopped })
	}
	s.finishBarrier(s.queue.stop(), errStopped)
	s.finishBarrier(s.barriers.asking, errStopped)
	for _, a := range s.barriers.answered {
		s.finishBarrier(a.batch, errStopped)
	}
	s.deliver()
}
