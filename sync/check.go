package flagsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// checkTimeout bounds how long [Check] waits for a connection.
const checkTimeout = 5 * time.Second

// Check does once what a follower of an environment does all the time: it
// listens, asks the leader, and reads an entry. A refused subject and a wrong
// domain look like time-outs to programs; the error names which it is.
func Check(ctx context.Context, o ConnectOptions, environment string) error {
	if err := ValidateEnvironment(environment); err != nil {
		return err
	}
	o.Environment = environment
	c, err := Connect(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.awaitConnection(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context, string) error
	}{
		{"listen to the feed", c.tryListening(feedSubject(environment) + ".>")},
		{"listen to the heartbeats", c.tryListening(beatSubject(environment))},
		{"make a barrier", c.tryBarrier},
		{"read the log", c.tryReading},
	} {
		if err := step.do(ctx, environment); err != nil {
			return fmt.Errorf("%s: %w", step.what, c.explain(err, o.Domain))
		}
	}
	return nil
}

// CheckConnection connects once and reports why that is impossible. It waits a
// few seconds at most.
func CheckConnection(ctx context.Context, o ConnectOptions) error {
	c, err := Connect(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.awaitConnection(ctx)
}

func (c *Conn) awaitConnection(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	listener := c.listen()
	defer c.forget(listener)
	for !c.Connected() {
		select {
		case <-listener.missed:
		case <-ctx.Done():
			return fmt.Errorf("%w: there is no connection to NATS: %w", ErrUnreachable, errors.Join(c.LastError(), context.Cause(ctx)))
		}
	}
	return nil
}

// tryListening returns a step that subscribes and waits until the server has
// answered to that.
func (c *Conn) tryListening(subject string) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		sub, err := c.nats.SubscribeSync(subject)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }() // fails when the connection is closed, which ends it too
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		if err := c.nats.FlushWithContext(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return c.refused()
	}
}

func (c *Conn) tryBarrier(ctx context.Context, environment string) error {
	info, err := c.info(ctx, flagsStream(environment))
	if hasCode(err, codeStreamNotFound) {
		return fmt.Errorf("%w: %q", ErrEnvironmentUnknown, environment)
	}
	if err != nil {
		return err
	}
	return info.verifyLease()
}

func (c *Conn) tryReading(ctx context.Context, environment string) error {
	_, err := c.batch(ctx, flagsStream(environment), batchRequest{Sequence: 1, Batch: 1, MaxBytes: batchBytes})
	if errors.Is(err, errNoMessage) {
		return nil // a replica without the first entry did answer
	}
	return err
}

// refused returns the last refusal of a subject, which names it, or nil.
func (c *Conn) refused() error {
	if err := c.nats.LastError(); errors.Is(err, nats.ErrPermissionViolation) && !c.refusedProbe(err) {
		return fmt.Errorf("the NATS user lacks a permission: %w", err)
	}
	return nil
}

// explain says what may be behind a time-out.
func (c *Conn) explain(err error, domain string) error {
	refused := c.refused()
	switch {
	case refused != nil:
		return refused
	case errors.Is(err, nats.ErrNoResponders) && domain == "":
		return fmt.Errorf("JetStream does not answer here: through a leaf node, name the JetStream domain: %w", err)
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the JetStream domain %q does not answer: is it spelled like that on the servers?: %w", domain, err)
	default:
		return err
	}
}
