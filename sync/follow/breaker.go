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
	g := &breaker{name: name, limit: limit, since: time.Now()}
	g.circuit = circuitbreaker.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return err != nil && failure(err) }).
		WithDelayFunc(func(failsafe.ExecutionAttempt[any]) time.Duration { return g.pause() }).
		OnStateChanged(func(circuitbreaker.StateChangedEvent) { g.changed() }).
		Build()
	all := append([]failsafe.Policy[any]{g.circuit}, policies...)
	g.policies = failsafe.With(append(all, timeout.New[any](limit))...)
	return g
}

// run makes a request, unless the breaker is open. The request must end with
// its context.
func (g *breaker) run(ctx context.Context, request func(context.Context) error) error {
	err := g.policies.WithContext(ctx).RunWithExecution(func(attempt failsafe.Execution[any]) error {
		g.requests.Add(1)
		return request(attempt.Context())
	})
	switch {
	case errors.Is(err, circuitbreaker.ErrOpen):
		return cmp.Or(g.refusal(), errOpen)
	case errors.Is(err, timeout.ErrExceeded):
		err = fmt.Errorf("%w: no answer within %s", flagsync.ErrUnreachable, g.limit)
	}
	g.ended(err)
	return err
}

// ended takes notes once the breaker has its verdict.
func (g *breaker) ended(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil || g.circuit.IsClosed() {
		g.err = nil
		g.inRow.Store(0)
		g.refused.Store(nil)
		return
	}
	g.err = err
	refusal := fmt.Errorf("%w: %w", errOpen, err)
	g.refused.Store(&refusal)
}

// pause returns how long the breaker stays open after one more failure.
func (g *breaker) pause() time.Duration {
	g.failed.Add(1)
	doublings := min(g.inRow.Add(1)-1, 10)
	longest := min(openMin<<doublings, openMax)
	return jetstream.Jitter(longest/2, longest)
}

func (g *breaker) changed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = time.Now()
}

// refusal returns what to answer without trying, nil if it is worth trying. It
// takes no lock and does not allocate.
func (g *breaker) refusal() error {
	if err := g.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// retryAt returns when the next request can be made.
func (g *breaker) retryAt() time.Time {
	remaining := g.circuit.RemainingDelay()
	return time.Now().Add(remaining)
}

// reset makes the next request one that finds out, and lets others wait for it:
// what was wrong may be over.
func (g *breaker) reset() {
	if g.circuit.IsOpen() {
		g.circuit.HalfOpen()
	}
	g.inRow.Store(0)
	g.refused.Store(nil)
}

func (g *breaker) status() Breaker {
	b := Breaker{
		Name: g.name, State: g.circuit.State().String(), Failures: g.inRow.Load(), Failed: g.failed.Load(),
		Requests: g.requests.Load(), Retry: g.circuit.RemainingDelay(),
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	b.Since, b.Error = g.since, g.err
	return b
}

// Breakers returns the state of the follower's circuit breakers.
func (f *Follower) Breakers() []Breaker {
	return []Breaker{f.leader.status(), f.entries.status(), f.manifests.status(), f.snapshots.status()}
}
