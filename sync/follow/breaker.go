package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/timeout"

	"github.com/flagside/flagside/sync/internal/jetstream"

	flagsync "github.com/flagside/flagside/sync"
)

// How long a breaker stays open: it doubles with every failure in a row.
const (
	openMin = 50 * time.Millisecond
	openMax = time.Second
)

// errOpen is the answer of a breaker that is open.
var errOpen = fmt.Errorf("%w: not tried, because it failed just before", flagsync.ErrUnreachable)

// Breaker is the state of what stands between a [Follower] and one of the
// things it asks the servers for. Closed means that requests are made. After
// one that failed it is open: nothing is asked, and a caller that wants something is
// told at once. Then it is half-open: one request finds out.
type Breaker struct {
	Name     string        // what is asked for: leader, entries, manifest or snapshot
	State    string        // closed, open or half-open
	Since    time.Time     // when State took its value
	Failures uint64        // in a row, until now
	Failed   uint64        // all of them
	Requests uint64        // that were made
	Retry    time.Duration // until the next request is made, while it is open
	Error    error         // of the last failure; nil after a success
}

// breaker is a circuit breaker and a time limit around one kind of request, as
// policies of failsafe-go. It is safe for concurrent use.
type breaker struct {
	name     string
	limit    time.Duration
	circuit  circuitbreaker.CircuitBreaker[any]
	policies failsafe.Executor[any]
	refused  atomic.Pointer[error] // what is answered without trying; nil while there is hope

	requests, failed, inRow atomic.Uint64

	mu    sync.Mutex
	since time.Time
	err   error
}

// newBreaker returns a breaker of requests that take no longer than limit. failure
// tells which errors speak against the servers. Policies stand inside of the
// breaker and around the limit.
func newBreaker(name string, limit time.Duration, failure func(error) bool, policies ...failsafe.Policy[any]) *breaker {
	b := &breaker{name: name, limit: limit, since: time.Now()}
	b.circuit = circuitbreaker.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return err != nil && failure(err) }).
		WithDelayFunc(func(failsafe.ExecutionAttempt[any]) time.Duration { return b.pause() }).
		OnStateChanged(func(circuitbreaker.StateChangedEvent) { b.changed() }).
		Build()
	all := append([]failsafe.Policy[any]{b.circuit}, policies...)
	b.policies = failsafe.With(append(all, timeout.New[any](limit))...)
	return b
}

// run makes a request, unless the breaker is open. The request must end with
// its context.
func (b *breaker) run(ctx context.Context, request func(context.Context) error) error {
	err := b.policies.WithContext(ctx).RunWithExecution(func(attempt failsafe.Execution[any]) error {
		b.requests.Add(1)
		return request(attempt.Context())
	})
	switch {
	case errors.Is(err, circuitbreaker.ErrOpen):
		return cmp.Or(b.refusal(), errOpen)
	case errors.Is(err, timeout.ErrExceeded):
		err = fmt.Errorf("%w: no answer within %s", flagsync.ErrUnreachable, b.limit)
	}
	b.ended(err)
	return err
}

// ended takes notes once the breaker has its verdict.
func (b *breaker) ended(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil || b.circuit.IsClosed() {
		b.err = nil
		b.inRow.Store(0)
		b.refused.Store(nil)
		return
	}
	b.err = err
	refusal := fmt.Errorf("%w: %w", errOpen, err)
	b.refused.Store(&refusal)
}

// pause returns how long the breaker stays open after one more failure.
func (b *breaker) pause() time.Duration {
	b.failed.Add(1)
	doublings := min(b.inRow.Add(1)-1, 10)
	longest := min(openMin<<doublings, openMax)
	return jetstream.Jitter(longest/2, longest)
}

func (b *breaker) changed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = time.Now()
}

// refusal returns what to answer without trying, nil if it is worth trying. It
// takes no lock and does not allocate.
func (b *breaker) refusal() error {
	if err := b.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// retryAt returns when the next request can be made.
func (b *breaker) retryAt() time.Time {
	remaining := b.circuit.RemainingDelay()
	return time.Now().Add(remaining)
}

// reset makes the next request one that finds out, and lets others wait for it:
// what was wrong may be over.
func (b *breaker) reset() {
	if b.circuit.IsOpen() {
		b.circuit.HalfOpen()
	}
	b.inRow.Store(0)
	b.refused.Store(nil)
}

func (b *breaker) status() Breaker {
	status := Breaker{
		Name: b.name, State: b.circuit.State().String(), Failures: b.inRow.Load(), Failed: b.failed.Load(),
		Requests: b.requests.Load(), Retry: b.circuit.RemainingDelay(),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	status.Since, status.Error = b.since, b.err
	return status
}

// Breakers returns the state of the follower's circuit breakers.
func (f *Follower) Breakers() []Breaker {
	return []Breaker{f.leader.status(), f.entries.status(), f.manifests.status(), f.snapshots.status()}
}
