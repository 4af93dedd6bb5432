package follow

import (
	"context"
	"errors"
	"fmt"

	flagsync "github.com/flagside/flagside/sync"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Check does once what a follower of an environment does all the time: it
// listens, asks the leader, and reads an entry. A refused subject and a wrong
// domain look like time-outs to programs; the error names which it is.
func Check(ctx context.Context, o flagsync.ConnectOptions, environment string) error {
	if err := flagsync.ValidateEnvironment(environment); err != nil {
		return err
	}
	o.Environment = environment
	conn, err := flagsync.Connect(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := jetstream.Use(conn)
	if err := c.AwaitConnection(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context, jetstream.Client, string) error
	}{
		{"listen to the feed", tryListening(jetstream.FeedSubject(environment) + ".>")},
		{"listen to the heartbeats", tryListening(jetstream.HeartbeatSubject(environment))},
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
func tryListening(subject string) func(context.Context, jetstream.Client, string) error {
	return func(ctx context.Context, c jetstream.Client, _ string) error {
		sub, err := c.Subscribe(subject, func(jetstream.Message) {})
		if err != nil {
			return err
		}
		defer sub.Unsubscribe()
		if err := c.Ping(ctx, jetstream.RequestTimeout); err != nil {
			return fmt.Errorf("%w: %w", flagsync.ErrUnreachable, err)
		}
		return c.Refused()
	}
}

func tryBarrier(ctx context.Context, c jetstream.Client, environment string) error {
	info, err := c.Info(ctx, jetstream.FlagsStream(environment))
	if jetstream.HasCode(err, jetstream.CodeStreamNotFound) {
		return fmt.Errorf("%w: %q", flagsync.ErrEnvironmentUnknown, environment)
	}
	if err != nil {
		return err
	}
	return info.VerifyLease()
}

func tryReading(ctx context.Context, c jetstream.Client, environment string) error {
	_, err := c.Batch(ctx, jetstream.FlagsStream(environment), jetstream.BatchRequest{Sequence: 1, Batch: 1, MaxBytes: jetstream.BatchBytes})
	if errors.Is(err, jetstream.ErrNoMessage) {
		return nil // a replica without the first entry did answer
	}
	return err
}

// explain says what may be behind a time-out.
func explain(c jetstream.Client, err error, domain string) error {
	refused := c.Refused()
	switch {
	case refused != nil:
		return refused
	case jetstream.NoResponders(err) && domain == "":
		return fmt.Errorf("JetStream does not answer: through a leaf node, name its domain with --nats-domain: %w", err)
	case jetstream.NoResponders(err):
		return fmt.Errorf("the JetStream domain %q does not answer: compare it with the configuration of the NATS servers: %w", domain, err)
	default:
		return err
	}
}
