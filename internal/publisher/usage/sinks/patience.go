package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/otlp"
)

const (
	retryJitter = 0.2
	// breakerFailures is after how many failures in a row a breaker opens, for all environments of a sink.
	breakerFailures = 5
)

// patience makes attempts at one destination.
type patience struct {
	limit    time.Duration
	breaker  circuitbreaker.CircuitBreaker[any]
	executor failsafe.Executor[any]
}

// newPatience returns what tries again and again, each attempt with a limit.
func newPatience(limit time.Duration, t timing) *patience {
	p := &patience{limit: limit}
	failed := func(_ any, err error) bool { return err != nil && !permanent(err) && !errors.Is(err, context.Canceled) }
	p.breaker = circuitbreaker.NewBuilder[any]().HandleIf(failed).
		WithFailureThreshold(breakerFailures).WithSuccessThreshold(1).WithDelay(t.breaker).WithJitterFactor(retryJitter).Build()
	retry := retrypolicy.NewBuilder[any]().HandleIf(func(_ any, err error) bool { return err != nil && !permanent(err) }).WithMaxRetries(-1).
		WithBackoff(t.retry, t.longest).WithJitterFactor(retryJitter).WithDelayFunc(p.pause).Build()
	p.executor = failsafe.With[any](retry, p.breaker, timeout.New[any](limit))
	return p
}

// pause returns how long is waited after a failed attempt; -1 is as long as usual.
func (p *patience) pause(attempt failsafe.ExecutionAttempt[any]) time.Duration {
	err := attempt.LastError()
	if errors.Is(err, circuitbreaker.ErrOpen) {
		return max(p.breaker.RemainingDelay(), time.Millisecond)
	}
	if refused, ok := errors.AsType[*otlp.RefusedError](err); ok && refused.RetryAfter > 0 {
		return time.Duration(float64(refused.RetryAfter) / (1 - retryJitter)) // so that jitter does not make it shorter
	}
	return -1
}

// try makes a request until it succeeds, fails for good, or ctx ends. failed is told of each failure, succeeded of the success.
func (p *patience) try(ctx context.Context, request func(context.Context) error, tell *tally) error {
	return p.executor.WithContext(ctx).RunWithExecution(func(attempt failsafe.Execution[any]) error {
		err := request(attempt.Context())
		switch {
		case err == nil:
			tell.succeeded()
		case ctx.Err() == nil && !permanent(err):
			tell.failed(p.explain(err))
		}
		return err
	})
}

// explain returns an error for people.
func (p *patience) explain(err error) error {
	if errors.Is(err, timeout.ErrExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("no answer within %s", p.limit)
	}
	return err
}
