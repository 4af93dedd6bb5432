package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	// BatchEntries is how many entries one read brings at most.
	BatchEntries = 5000
	// BatchBytes bounds them in bytes. The last entry may exceed it.
	BatchBytes = 4 << 20

	// batchPause is how long the next message of an answer may take to come.
	batchPause = 2 * time.Second
)

// Status codes in the headers of an answer to a direct get.
const (
	headerSequence = "Nats-Sequence"

	statusEnd          = "204"
	statusNotFound     = "404"
	statusNoResponders = "503"
)

// BatchRequest says which messages are read together.
type BatchRequest struct {
	Sequence      uint64 `json:"seq,omitzero"`
	NextBySubject string `json:"next_by_subj,omitzero"`
	Batch         int    `json:"batch"`
	MaxBytes      int    `json:"max_bytes"`

	Patience time.Duration `json:"-"` // in place of batchPause, unless it is 0
}

// Batch reads messages from a sequence on, from whichever replica answers. It
// returns errNoMessage when that replica has none, which says nothing about the
// leader. What came before an error is returned with it.
func (c Client) Batch(ctx context.Context, stream string, r BatchRequest) ([]Message, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", stream, err)
	}
	if !c.Connected() {
		return nil, fmt.Errorf("read %s: %w", stream, ErrNoConnection)
	}
	inbox, answers := c.nats.NewInbox(), make(chan *nats.Msg, r.Batch+1) // and the status at the end
	sub, err := c.nats.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", stream, ErrUnreachable, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails when the connection is closed, which ends it too
	if err := c.nats.PublishRequest(c.api()+"DIRECT.GET."+stream, inbox, body); err != nil {
		return nil, fmt.Errorf("read %s: %w", stream, unsent(err))
	}
	var messages []Message
	for {
		msg, err := c.nextAnswer(ctx, answers, cmp.Or(r.Patience, batchPause))
		if err != nil {
			return messages, fmt.Errorf("read %s from %d: %w", stream, r.Sequence, err)
		}
		switch status := statusOf(msg.Header); status {
		case "":
			m, err := directMessage(msg)
			if err != nil {
				return messages, fmt.Errorf("read %s from %d: %w", stream, r.Sequence, err)
			}
			messages = append(messages, m)
		case statusEnd:
			return messages, nil
		case statusNoResponders:
			return messages, fmt.Errorf("read %s from %d: %w: no server answers for it: %w", stream, r.Sequence, ErrUnreachable, nats.ErrNoResponders)
		case statusNotFound:
			return messages, ErrNoMessage
		default:
			return messages, fmt.Errorf("read %s from %d: status %s %s", stream, r.Sequence, status, msg.Header.Get("Description"))
		}
	}
}

func (c Client) nextAnswer(ctx context.Context, answers <-chan *nats.Msg, patience time.Duration) (*nats.Msg, error) {
	wait, cancel := c.within(ctx, patience)
	defer cancel()
	select {
	case msg := <-answers:
		return msg, nil
	case <-wait.Done():
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, context.Cause(ctx))
	case errors.Is(context.Cause(wait), errLost):
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, errLost)
	default:
		return nil, fmt.Errorf("%w: nothing came for %s: %w", ErrUnreachable, patience, context.Cause(wait))
	}
}

// directMessage takes apart a message as direct get and republishing deliver
// it: what it was is in the headers.
func directMessage(msg *nats.Msg) (Message, error) {
	sequence, err := strconv.ParseUint(lastValue(msg.Header, headerSequence), 10, 64)
	if err != nil || sequence == 0 {
		return Message{}, fmt.Errorf("a message on %s without a sequence", msg.Subject)
	}
	taken, err := time.Parse(time.RFC3339Nano, lastValue(msg.Header, "Nats-Time-Stamp"))
	if err != nil {
		taken = time.Time{} // unknown
	}
	return Message{
		Subject: lastValue(msg.Header, "Nats-Subject"), Sequence: sequence, Data: msg.Data, Taken: taken, Proof: proofOf(msg.Header),
		header: msg.Header,
	}, nil
}

// lastValue returns the value of a header that the server added. A message keeps
// the headers that it was stored with, which come first and may say anything.
func lastValue(h nats.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// statusOf returns the status of an answer that is no stored message: a stored
// one has a sequence, whatever else its headers say.
func statusOf(h nats.Header) string {
	if len(h[headerSequence]) > 0 {
		return ""
	}
	return h.Get("Status")
}

// proofOf returns the proof of a message, "" unless it has exactly one.
func proofOf(h nats.Header) string {
	if values := h[changelog.ProofHeader]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// Pauses while a replica does not have yet what the leader has.
const (
	staleMin = 5 * time.Millisecond
	staleMax = 500 * time.Millisecond
)

// Messages yields the messages from from to to, in order. It asks again while a
// replica is behind, and the leader about what does not come, also because the
// replica that was asked is silent; what the leader does not have is left out.
func (c Client) Messages(ctx context.Context, stream string, from, to uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for batch, err := range c.Batches(ctx, stream, from, to) {
			for _, m := range batch {
				if !yield(m, nil) {
					return
				}
			}
			if err != nil {
				yield(Message{}, err)
				return
			}
		}
	}
}

// Batches is messages, as they are read together.
func (c Client) Batches(ctx context.Context, stream string, from, to uint64) iter.Seq2[[]Message, error] {
	return func(yield func([]Message, error) bool) {
		wait := staleMin
		for next := from; next <= to; {
			batch, err := c.contiguous(ctx, stream, next, to)
			if len(batch) > 0 {
				next = batch[len(batch)-1].Sequence + 1
				wait = staleMin
				if !yield(batch, nil) {
					return
				}
				continue
			}
			if err != nil && !errors.Is(err, ErrNoMessage) && !errors.Is(err, ErrUnreachable) {
				yield(nil, err)
				return
			}
			m, err := c.Get(ctx, stream, MessageRequest{Sequence: next, NextBySubject: ">"})
			switch {
			case errors.Is(err, ErrNoMessage), err == nil && m.Sequence > to:
				return
			case err != nil:
				yield(nil, fmt.Errorf("read %s at %d: %w", stream, next, err))
				return
			case !yield([]Message{m}, nil):
				return
			}
			next = m.Sequence + 1
			if !Pause(ctx, wait) {
				yield(nil, fmt.Errorf("read %s at %d: %w", stream, next, context.Cause(ctx)))
				return
			}
			wait = min(2*wait, staleMax)
		}
	}
}

// contiguous reads messages from next on, up to to or the first that is missing
// at whichever replica answers.
func (c Client) contiguous(ctx context.Context, stream string, next, to uint64) ([]Message, error) {
	count := min(to-next+1, BatchEntries)
	batch, err := c.Batch(ctx, stream, BatchRequest{Sequence: next, Batch: int(count), MaxBytes: BatchBytes})
	for i, m := range batch {
		if m.Sequence != next+uint64(i) {
			return batch[:i], err
		}
	}
	return batch, err
}

// Newest returns the newest message of a subject from whichever replica
// answers, without its sequence; errNoMessage when that has none.
func (c Client) Newest(ctx context.Context, stream, subject string) (Message, error) {
	reply, err := c.ask(ctx, &nats.Msg{Subject: c.api() + "DIRECT.GET." + stream + "." + subject}, RequestTimeout)
	if err != nil {
		return Message{}, err
	}
	switch status := statusOf(reply.Header); status {
	case "":
		return Message{Subject: subject, Data: reply.Data, Proof: proofOf(reply.Header)}, nil
	case statusNotFound:
		return Message{}, ErrNoMessage
	default:
		return Message{}, fmt.Errorf("read %s: status %s %s", stream, status, reply.Header.Get("Description"))
	}
}

// AboutSubject yields the messages of a subject in order, as any replica has them,
// and what that lacks as the leader has it.
func (c Client) AboutSubject(ctx context.Context, stream, subject string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for next := uint64(1); ; {
			found, err := c.Batch(ctx, stream, BatchRequest{Sequence: next, NextBySubject: subject, Batch: BatchEntries, MaxBytes: BatchBytes})
			if errors.Is(err, ErrNoMessage) {
				err = nil
			}
			if err == nil && len(found) == 0 {
				var m Message
				if m, err = c.Get(ctx, stream, MessageRequest{Sequence: next, NextBySubject: subject}); errors.Is(err, ErrNoMessage) {
					return
				}
				found = append(found, m)
			}
			if err != nil {
				yield(Message{}, err)
				return
			}
			for _, m := range found {
				if next = m.Sequence + 1; !yield(m, nil) {
					return
				}
			}
		}
	}
}
