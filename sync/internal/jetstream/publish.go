package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// publishTimeout is how long an acknowledgement is waited for before the
	// leader is asked what happened:
	// short, because what is sent to a leader that is lost is never answered, and
	// nothing can be written for as long. Sending again is harmless.
	publishTimeout = time.Second
	// ResolveTimeout is how long the answer of the leader to that is waited for.
	ResolveTimeout = time.Second

	// RetryMin is the least pause between attempts while nothing is decided. Writers are few.
	RetryMin = 10 * time.Millisecond
	retryMax = 250 * time.Millisecond
)

// Ack is how JetStream acknowledges a message, or the last of a batch.
type Ack struct {
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
}

// Publish sends a message to a stream and waits for its acknowledgement. While the
// disk is full it sends nothing, which is [ErrDiskFull] and decided.
func (c Client) Publish(ctx context.Context, m Outgoing) (Ack, error) {
	return c.PublishWithin(ctx, m, publishTimeout+uploadTime(len(m.msg.Data)))
}

// PublishWithin is publish with another time limit.
func (c Client) PublishWithin(ctx context.Context, m Outgoing, timeout time.Duration) (Ack, error) {
	msg := m.msg
	if err := c.StorageError(); err != nil {
		return Ack{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	reply, err := c.ask(ctx, msg, timeout)
	if err != nil {
		return Ack{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	var ack Ack
	if err := decodeReply(reply.Data, &ack); err != nil {
		return Ack{}, fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	return ack, nil
}

// NoResponders reports that no server was there to take a message: it is nowhere, and
// no server can be asked about it.
func NoResponders(err error) bool { return errors.Is(err, nats.ErrNoResponders) }

// Undecided reports whether err leaves open what became of a message. The
// leader may hold an append that it does not show yet, so being refused for the
// wrong sequence or as a duplicate decides as little as no answer.
func Undecided(err error) bool {
	return errors.Is(err, ErrUnreachable) ||
		HasCode(err, codeWrongLastSequence, codeWrongLastConstant, CodeDuplicateInFlight, CodeDuplicateInBatch, CodeIncompleteBatch)
}

// Conflict reports that the stream does not end where a message expects it to: the message was not stored by this attempt.
func Conflict(err error) bool { return HasCode(err, codeWrongLastSequence, codeWrongLastConstant) }

// Full reports that a stream which keeps what it has already holds as many messages as it may.
func Full(err error) bool {
	refusal, ok := errors.AsType[*apiError](err)
	return ok && refusal.ErrCode == codeStoreFailed && strings.Contains(refusal.Description, maxMessages)
}

// maxMessages is how the server says that it is the number of messages, which shares its code with faults of the disk.
const maxMessages = "maximum messages exceeded"

// Backoff spaces attempts: from retryMin, doubling to retryMax, jittered.
type Backoff struct{ next time.Duration }

// Wait pauses and reports whether ctx is still alive.
func (b *Backoff) Wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, RetryMin), retryMax)
	return Pause(ctx, Jitter(b.next/2, b.next))
}
