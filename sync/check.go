package flagsync

import (
	"context"
	"errors"
	"fmt"
)

// Check does once what a follower of an environment does all the time: it
// listens, asks the leader, and reads an entry. A refused subject and a wrong
// domain look like time-outs to programs; the error names which it is.
func Check(ctx context.Context, o ConnectOptions, environment string) error {
	if err := ValidateEnvironment(environment); err != nil {
		return err
	}
	o.Environment = environment
	conn, err := Connect(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := Use(conn)
	if err := c.awaitConnection(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context, Client, string) error
	}{
		{"listen to the feed", tryListening(feedSubject(environment) + ".>")},
		{"listen to the heartbeats", tryListening(beatSubject(environment))},
		{"make a barrier", tryBarrier},
		{"read the log", tryReading},
	} {
		if err := step.do(ctx, c, environment); err != nil {
			return fmt.Errorf("%s: %w", step.what, explain(c, err, o.Domain))
		}
	}
	return nil
}

// tryListening returns a step that subscribes and waits until the server has
// answered to that.
func tryListening(subject string) func(context.Context, Client, string) error {
	return func(ctx context.Context, c Client, _ string) error {
		sub, err := c.subscribe(subject, func(storedMessage) {})
		if err != nil {
			return err
		}
		defer sub.unsubscribe()
		if err := c.ping(ctx, requestTimeout); err != nil {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return c.refused()
	}
}

func tryBarrier(ctx context.Context, c Client, environment string) error {
	info, err := c.info(ctx, flagsStream(environment))
	if hasCode(err, codeStreamNotFound) {
		return fmt.Errorf("%w: %q", ErrEnvironmentUnknown, environment)
	}
	if err != nil {
		return err
	}
	return info.verifyLease()
}

func tryReading(ctx context.Context, c Client, environment string) error {
	_, err := c.batch(ctx, flagsStream(environment), batchRequest{Sequence: 1, Batch: 1, MaxBytes: batchBytes})
	if errors.Is(err, errNoMessage) {
		return nil // a replica without the first entry did answer
	}
	return err
}

// explain says what may be behind a time-out.
func explain(c Client, err error, domain string) error {
	refused := c.refused()
	switch {
	case refused != nil:
		return refused
	case noResponders(err) && domain == "":
		return fmt.Errorf("JetStream does not answer here: through a leaf node, name the JetStream domain: %w", err)
	case noResponders(err):
		return fmt.Errorf("the JetStream domain %q does not answer: is it spelled like that on the servers?: %w", domain, err)
	default:
		return err
	}
}
