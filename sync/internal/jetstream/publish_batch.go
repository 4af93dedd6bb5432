package jetstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// batchAckBytes is how much of a batch is sent before an acknowledgement is
	// waited for: the server drops what exceeds its queue.
	batchAckBytes = 4 << 20
	// uploadRate is the slowest connection that a publisher may have, in bytes
	// per second: it stretches the deadline of a large change.
	uploadRate = 1 << 20
)

// PublishAll stores messages together or not at all: one plainly, several as an atomic batch (ADR-50 of NATS), and returns the
// acknowledgement of the last. Every batch has its own id, because the server may still hold an earlier one that is incomplete.
func (c Client) PublishAll(ctx context.Context, messages []Outgoing) (Ack, error) {
	if len(messages) == 1 {
		return c.Publish(ctx, messages[0])
	}
	id := rand.Text()
	unacknowledged := 0
	for i, m := range messages {
		last := i == len(messages)-1
		m.member(id, i+1, last)
		if last {
			return c.PublishWithin(ctx, m, publishTimeout+uploadTime(unacknowledged))
		}
		unacknowledged += len(m.msg.Data)
		if err := c.publishMember(ctx, m, i == 0 || unacknowledged > batchAckBytes); err != nil {
			return Ack{}, err
		}
		if unacknowledged > batchAckBytes {
			unacknowledged = 0
		}
	}
	return Ack{}, errors.New("an empty batch")
}

// publishMember publishes a member before the last. The server acknowledges it by
// an empty message, if asked to, once it is stored aside.
func (c Client) publishMember(ctx context.Context, m Outgoing, acknowledged bool) error {
	if !acknowledged {
		return c.Send(m)
	}
	reply, err := c.ask(ctx, m.msg, publishTimeout+uploadTime(batchAckBytes))
	if err != nil {
		return fmt.Errorf("publish on %s: %w", m.msg.Subject, err)
	}
	if len(reply.Data) == 0 {
		return nil
	}
	if err := decodeReply(reply.Data, nil); err != nil {
		return fmt.Errorf("publish on %s: %w", m.msg.Subject, err)
	}
	return fmt.Errorf("publish on %s: the server does not know atomic batches: nats-server 2.12 or later is needed", m.msg.Subject)
}

// Send publishes a message without waiting for anything.
func (c Client) Send(m Outgoing) error {
	err := c.nats.PublishMsg(m.msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		return c.tooLarge(m.msg)
	}
	if err != nil {
		return fmt.Errorf("publish on %s: %w: %w", m.msg.Subject, ErrUnreachable, err)
	}
	return nil
}

// uploadTime stretches the deadline of what is large.
func uploadTime(bytes int) time.Duration {
	return time.Duration(bytes) * time.Second / uploadRate
}
