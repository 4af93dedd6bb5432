package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/flagside/flagside/internal/publisher/egress"
)

const (
	// How long is waited after a failure: twice as long after each, up to the longest, jittered.
	retryFirst   = time.Second
	retryLongest = time.Minute
	retryJitter  = 0.2
	// A breaker opens after so many failures in a row, for so long, for all environments of a webhook.
	breakerFailures = 5
	breakerDelay    = time.Minute
	// maxAnswer bounds what is read of an answer, in bytes, so that the connection can be used again.
	maxAnswer = 64 << 10
	// maxDrain bounds how long is read.
	maxDrain  = time.Second
	userAgent = "flagside-publisher"
)

// failedAnswer is an answer that is not 2xx.
type failedAnswer struct {
	status     int
	retryAfter time.Duration // 0 if the receiver asked for none
}

func (f *failedAnswer) Error() string {
	text := fmt.Sprintf("the receiver answered %d %s", f.status, http.StatusText(f.status))
	switch {
	case f.status >= 300 && f.status < 400:
		return text + ": redirects are not followed, give the address it redirects to"
	case f.status == http.StatusGone:
		return text + ": it wants no more events, remove the webhook or correct its address"
	}
	return text
}

// receiver is where the events of one webhook go, of all its environments.
type receiver struct {
	webhook      Webhook
	installation string
	transport    *http.Transport
	breaker      circuitbreaker.CircuitBreaker[any]
	persistently failsafe.Executor[any] // attempts until one succeeds
}

// newReceiver returns a receiver. dial makes its connections; nil resolves names, and reaches addresses that are permitted.
func newReceiver(w Webhook, installation string, dial func(ctx context.Context, network, address string) (net.Conn, error)) *receiver {
	r := &receiver{webhook: w, installation: installation}
	r.transport = egress.Transport(w.permit, w.CA, w.Timeout) // without a client it follows no redirects
	if dial != nil {
		r.transport.DialContext = dial
	}
	r.breaker = circuitbreaker.NewBuilder[any]().HandleIf(func(_ any, err error) bool { return err != nil && !errors.Is(err, context.Canceled) }).
		WithFailureThreshold(breakerFailures).WithSuccessThreshold(1).WithDelay(breakerDelay).WithJitterFactor(retryJitter).Build()
	retry := retrypolicy.NewBuilder[any]().HandleIf(func(_ any, err error) bool { return err != nil }).WithMaxRetries(-1).
		WithBackoff(retryFirst, retryLongest).WithJitterFactor(retryJitter).WithDelayFunc(r.pause).Build()
	r.persistently = failsafe.With[any](retry, r.breaker)
	return r
}

// pause returns how long is waited after a failed attempt; -1 is as long as usual.
func (r *receiver) pause(attempt failsafe.ExecutionAttempt[any]) time.Duration {
	err := attempt.LastError()
	if errors.Is(err, circuitbreaker.ErrOpen) {
		return max(r.breaker.RemainingDelay(), retryFirst)
	}
	if answer, ok := errors.AsType[*failedAnswer](err); ok && answer.retryAfter > 0 {
		return time.Duration(float64(answer.retryAfter) / (1 - retryJitter)) // so that jitter does not make it shorter
	}
	return -1
}

// deliver sends an event until the receiver has answered with 2xx, or ctx ends, for which it returns an error. failed is told of each failed attempt.
func (r *receiver) deliver(ctx context.Context, o occurrence, failed func(error)) error {
	return r.persistently.WithContext(ctx).RunWithExecution(func(attempt failsafe.Execution[any]) error {
		err := r.send(attempt.Context(), o)
		if err != nil && ctx.Err() == nil {
			failed(r.explain(err))
		}
		return err
	})
}

// try sends an event once.
func (r *receiver) try(ctx context.Context, o occurrence) error {
	return r.explain(r.send(ctx, o))
}

// explain returns an error for people.
func (r *receiver) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("the receiver did not answer within %s", r.webhook.Timeout)
	}
	return err
}

// errNoAnswer stands for everything that went wrong once there was a connection: what Go says of it quotes what came.
var errNoAnswer = errors.New("the receiver closed the connection, or what it answers is not HTTP")

// send makes one request. Errors have nothing of the address but its host, and nothing of the answer but its status. What answers in time with 2xx has the
// event, whatever follows.
func (r *receiver) send(ctx context.Context, o occurrence) error {
	body, media, err := encode(r.webhook.Format, r.installation, o)
	if err != nil {
		return fmt.Errorf("event %s: %w", o.id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.webhook.Timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.webhook.URL.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the address of the receiver cannot be used")
	}
	request.Header.Set("Content-Type", media)
	request.Header.Set("User-Agent", userAgent)
	sign(request.Header, o.id, time.Now(), body, r.webhook.Secrets)
	response, err := r.transport.RoundTrip(request)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case connected.Load():
		return errNoAnswer
	default:
		return err
	}
	defer response.Body.Close()
	defer time.AfterFunc(maxDrain, cancel).Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // what it says does not matter
	if response.StatusCode/100 == 2 {
		return nil
	}
	return &failedAnswer{status: response.StatusCode, retryAfter: egress.RetryAfter(response.Header.Get("Retry-After"), time.Now())}
}

// close gives idle connections back.
func (r *receiver) close() { r.transport.CloseIdleConnections() }
