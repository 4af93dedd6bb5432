package jetstream

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// Subscription is what is heard on a subject.
type Subscription struct{ nats *nats.Subscription }

// Subscribe has take called with every message on a subject, one after the other. Of the message only subject, data and proof are known.
func (c Client) Subscribe(subject string, take func(Message)) (Subscription, error) {
	return c.subscribeRaw(subject, func(msg *nats.Msg) {
		take(Message{Subject: msg.Subject, Data: msg.Data, Proof: proofOf(msg.Header)})
	})
}

// SubscribeFeed has take called with the messages of a stream, as the server repeats them on a subject. Others are dropped.
func (c Client) SubscribeFeed(subject string, take func(Message)) (Subscription, error) {
	return c.subscribeRaw(subject, func(msg *nats.Msg) {
		if m, err := directMessage(msg); err == nil {
			take(m)
		}
	})
}

func (c Client) subscribeRaw(subject string, take nats.MsgHandler) (Subscription, error) {
	sub, err := c.nats.Subscribe(subject, take)
	if err != nil {
		return Subscription{}, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return Subscription{sub}, nil
}

// Limit bounds what waits to be taken. What exceeds it is dropped, and listeners are told.
func (s Subscription) Limit(messages, bytes int) error {
	if err := s.nats.SetPendingLimits(messages, bytes); err != nil {
		return fmt.Errorf("subscribe to %s: %w", s.nats.Subject, err)
	}
	return nil
}

// Unsubscribe ends it.
func (s Subscription) Unsubscribe() {
	_ = s.nats.Unsubscribe() // fails when the connection is closed, which ends it too
}
