package follow

import (
	"context"
	"sync"
	"sync/atomic"
)

// barrierBatch is one question to the leader and everybody who waits for its answer.
type barrierBatch struct {
	done    chan struct{} // closed when err is the outcome
	err     error
	waiting atomic.Int64
}

// barrierQueue gathers those who come between two questions in one batch, so that
// no call joins a question that was sent before.
type barrierQueue struct {
	wake chan struct{} // of one: a caller waits for the next question

	mu      sync.Mutex
	next    *barrierBatch // nil while none waits for the next question
	stopped bool
}

func newBarrierQueue() *barrierQueue { return &barrierQueue{wake: make(chan struct{}, 1)} }

// join returns the batch of the next question.
func (r *barrierQueue) join() (*barrierBatch, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, errStopped
	}
	if r.next == nil {
		r.next = &barrierBatch{done: make(chan struct{})}
		select {
		case r.wake <- struct{}{}:
		default: // it wakes anyway
		}
	}
	r.next.waiting.Add(1)
	return r.next, nil
}

// take returns the batch of a question that is sent now, nil if none waits
// for it.
func (r *barrierQueue) take() *barrierBatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := r.next
	r.next = nil
	return batch
}

// awaited reports whether anybody waits for the next question.
func (r *barrierQueue) awaited() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next != nil
}

// stop refuses those who come from now on, and returns the batch of those who
// wait.
func (r *barrierQueue) stop() *barrierBatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	return r.next
}

// wait returns the outcome of the batch.
func (r *barrierBatch) wait(ctx context.Context) error {
	defer r.waiting.Add(-1)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abandoned reports whether no caller waits any more.
func (r *barrierBatch) abandoned() bool { return r == nil || r.waiting.Load() == 0 }
