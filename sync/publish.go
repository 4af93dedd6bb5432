package flagsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// publishTimeout is how long an acknowledgement is waited for before the
	// leader is asked what happened, and resolveTimeout how long its answer is:
	// short, because what is sent to a leader that is lost is never answered, and
	// nothing can be written for as long. Sending again is harmless.
	publishTimeout = time.Second
	resolveTimeout = time.Second

	// Pauses between attempts while nothing is decided. Writers are few.
	retryMin = 10 * time.Millisecond
	retryMax = 250 * time.Millisecond
)

// publishAck is how JetStream acknowledges a message, or the last of a batch.
type publishAck struct {
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
}

// publish sends a message to a stream and waits for its acknowledgement. While the
// disk is full it sends nothing, which is [ErrDiskFull] and decided.
func (c Client) publish(ctx context.Context, m Outgoing) (publishAck, error) {
	return c.publishWithin(ctx, m, publishTimeout+uploadTime(len(m.msg.Data)))
}

// publishWithin is publish with another time limit.
func (c Client) publishWithin(ctx context.Context, m Outgoing, timeout time.Duration) (publishAck, error) {
	msg := m.msg
	if err := c.StorageError(); err != nil {
		return publishAck{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	reply, err := c.ask(ctx, msg, timeout)
	if err != nil {
		return publishAck{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	var ack publishAck
	if err := decodeReply(reply.Data, &ack); err != nil {
		return publishAck{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	return ack, nil
}

// noResponders reports that no server was there to take a message: it is nowhere, and
// no server can be asked about it.
func noResponders(err error) bool { return errors.Is(err, nats.ErrNoResponders) }

// undecided reports whether err leaves open what became of a message. The
// leader may hold an append that it does not show yet, so being refused for the
// wrong sequence or as a duplicate decides as little as no answer.
func undecided(err error) bool {
	return errors.Is(err, ErrUnreachable) ||
		hasCode(err, codeWrongLastSequence, codeWrongLastConstant, codeDuplicateInFlight, codeDuplicateInBatch, codeIncompleteBatch)
}

// backoff spaces attempts: from retryMin, doubling to retryMax, jittered.
type backoff struct{ next time.Duration }

// wait pauses and reports whether ctx is still alive.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, retryMin), retryMax)
	return pause(ctx, jitter(b.next/2, b.next))
}
