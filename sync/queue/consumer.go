package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long one request for the next message waits.
const patience = 20 * time.Second

// ConsumerOptions say which consumer. All members but FromBeginning are required.
type ConsumerOptions struct {
	// Name is its name in the stream; letters, digits, - and _.
	Name string
	// AckWait is how long a message belongs to who got it, and Working prolongs it by as much.
	AckWait time.Duration
	// Inactive is how long it stays when nothing asks it for messages.
	Inactive time.Duration
	// FromBeginning has a new one begin with the oldest message, not with the next that is appended.
	FromBeginning bool
}

// Consumer remembers, in the server, how far a queue was consumed. It gives one message at a time to one of all that ask, and the next when that is
// acknowledged.
type Consumer struct {
	queue    *Queue
	options  ConsumerOptions
	consumer jetstream.Consumer
}

// Delivery is a message that is to be acknowledged.
type Delivery struct {
	Message

	// Attempt is how many times it was given out, 1 for the first time.
	Attempt uint64

	consumer *Consumer
	message  jetstream.Msg
}

// Progress is how far a queue was consumed.
type Progress struct {
	Acknowledged uint64 // sequence up to which everything is
	Waiting      uint64 // messages that are not yet
}

// Consumer returns a consumer, which it creates if create is true; without it fails with ErrLost.
func (q *Queue) Consumer(ctx context.Context, o ConsumerOptions, create bool) (*Consumer, error) {
	if o.Name == "" || o.AckWait <= 0 || o.Inactive <= 0 {
		return nil, errors.New("queue: name, acknowledgement and inactivity of a consumer are required")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c := &Consumer{queue: q, options: o}
	var err error
	if c.consumer, err = q.stream.Consumer(ctx, o.Name); errors.Is(err, jetstream.ErrConsumerNotFound) && create {
		c.consumer, err = q.stream.CreateConsumer(ctx, o.config(q.options.Replicas))
		if errors.Is(err, jetstream.ErrConsumerExists) || errors.Is(err, jetstream.ErrConsumerNameAlreadyInUse) { // another publisher was faster
			c.consumer, err = q.stream.Consumer(ctx, o.Name)
		}
	}
	if err != nil {
		return nil, q.failed("consumer "+o.Name, err)
	}
	return c, nil
}

func (o ConsumerOptions) config(replicas int) jetstream.ConsumerConfig {
	from := jetstream.DeliverNewPolicy
	if o.FromBeginning {
		from = jetstream.DeliverAllPolicy
	}
	return jetstream.ConsumerConfig{
		Durable: o.Name, DeliverPolicy: from, AckPolicy: jetstream.AckExplicitPolicy, AckWait: o.AckWait, MaxAckPending: 1, MaxDeliver: -1,
		InactiveThreshold: o.Inactive, Replicas: replicas,
	}
}

// Next returns the next message. It waits for one until ctx ends, for which it returns the context's error.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	for {
		m, err := c.fetch(ctx)
		switch {
		case err == nil:
			return c.delivery(m)
		case ctx.Err() != nil:
			return Delivery{}, ctx.Err()
		case errors.Is(err, jetstream.ErrNoMessages) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrMsgIteratorClosed):
		default:
			if _, gone := c.Progress(ctx); errors.Is(gone, ErrLost) { // of which a request for messages knows nothing
				return Delivery{}, gone
			}
			return Delivery{}, c.queue.failed("consumer "+c.options.Name, err)
		}
	}
}

func (c *Consumer) fetch(ctx context.Context) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.consumer.Next(jetstream.FetchContext(ctx))
}

func (c *Consumer) delivery(m jetstream.Msg) (Delivery, error) {
	about, err := m.Metadata()
	if err != nil {
		return Delivery{}, fmt.Errorf("queue %s: %w", c.queue.options.Stream, err)
	}
	return Delivery{
		Message: Message{Data: m.Data(), Sequence: about.Sequence.Stream, Stored: about.Timestamp},
		Attempt: about.NumDelivered, consumer: c, message: m,
	}, nil
}

// Ack acknowledges the message, and returns once the server knows.
func (d Delivery) Ack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := d.message.DoubleAck(ctx); err != nil {
		return d.consumer.queue.failed("acknowledge", err)
	}
	return nil
}

// inProgress is what JetStream calls work that goes on.
const inProgress = "+WPI"

// Working tells the server that the message is being worked at, and returns once the server knows. Without it for AckWait, the message is given out again.
func (d Delivery) Working(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := d.consumer.queue.conn.NATS().RequestWithContext(ctx, d.message.Reply(), []byte(inProgress)); err != nil {
		return d.consumer.queue.failed("prolong", err)
	}
	return nil
}

// Progress returns how far the queue was consumed.
func (c *Consumer) Progress(ctx context.Context) (Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := c.consumer.Info(ctx)
	if err != nil {
		return Progress{}, c.queue.failed("consumer "+c.options.Name, err)
	}
	return Progress{
		Acknowledged: info.AckFloor.Stream, Waiting: info.NumPending + uint64(max(info.NumAckPending, 0)), // #nosec G115 -- a count
	}, nil
}
