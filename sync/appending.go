package flagsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	// batchAckBytes is how much of a batch is sent before an acknowledgement is
	// waited for: the server drops what exceeds its queue.
	batchAckBytes = 4 << 20
	// uploadRate is the slowest connection that a publisher may have, in bytes
	// per second: it stretches the deadline of a large change.
	uploadRate = 1 << 20
)

// appending is one transaction on its way into the log.
type appending struct {
	log     *Log
	stream  string
	base    changelog.Position
	records changelog.Transaction // as they will stand in the log after base
	bodies  [][]byte              // the bytes of the records
	sent    bool                  // something may have reached a server
}

// newAppend chains the entries after base. It refuses what breaks a limit.
func (l *Log) newAppend(base changelog.Position, entries []changelog.Entry) (*appending, error) {
	if len(entries) == 0 || len(entries) > changelog.MaxEntries {
		return nil, fmt.Errorf("a transaction of %d entries: 1 to %d are allowed, split it into several changes",
			len(entries), changelog.MaxEntries)
	}
	a := &appending{log: l, stream: flagsStream(l.environment), base: base}
	prev := base.Digest
	for i, e := range entries {
		e.Prev = prev
		body, err := e.Encode()
		if err != nil {
			return nil, err
		}
		r, err := changelog.DecodeRecord(base.Revision+uint64(i)+1, body)
		if err != nil {
			return nil, err
		}
		a.records = append(a.records, r)
		a.bodies = append(a.bodies, body)
		prev = r.Digest
	}
	return a, nil
}

func (a *appending) opID() string { return a.records[0].OpID }

func (a *appending) last() changelog.Record { return a.records[len(a.records)-1] }

// message returns the message of one record, without what makes it part of a
// batch.
func (a *appending) message(i int) *nats.Msg {
	msg := nats.NewMsg(flagsSubject(a.log.environment) + "." + a.records[i].ID().Subject())
	msg.Data = a.bodies[i]
	msg.Header.Set(headerMessageID, a.opID()+"/"+strconv.Itoa(i+1))
	if i == 0 { // a batch takes it on its first member only
		msg.Header.Set(headerExpectedLast, strconv.FormatUint(a.base.Revision, 10))
	}
	return msg
}

// send publishes the change once: a single entry plainly, several as one atomic
// batch.
func (a *appending) send(ctx context.Context) (publishAck, error) {
	if !a.log.conn.Connected() {
		return publishAck{}, errNoConnection
	}
	a.sent = true
	if len(a.records) == 1 {
		return a.log.conn.publish(ctx, a.message(0), publishTimeout+uploadTime(len(a.bodies[0])))
	}
	return a.sendBatch(ctx)
}

// sendBatch publishes the members of an atomic batch (ADR-50 of NATS). Every
// attempt has its own batch id, because the server may still hold an earlier
// one that is incomplete.
func (a *appending) sendBatch(ctx context.Context) (publishAck, error) {
	id := newID()
	unacknowledged := 0
	for i := range a.records {
		msg := a.message(i)
		msg.Header.Set(headerBatchID, id)
		msg.Header.Set(headerBatchSequence, strconv.Itoa(i+1))
		if i == len(a.records)-1 {
			msg.Header.Set(headerBatchCommit, "1")
			return a.log.conn.publish(ctx, msg, publishTimeout+uploadTime(unacknowledged))
		}
		unacknowledged += len(msg.Data)
		if err := a.sendMember(ctx, msg, i == 0 || unacknowledged > batchAckBytes); err != nil {
			return publishAck{}, err
		}
		if unacknowledged > batchAckBytes {
			unacknowledged = 0
		}
	}
	return publishAck{}, errors.New("an empty batch")
}

// sendMember publishes a member before the last. The server acknowledges it by
// an empty message, if asked to, once it is stored aside.
func (a *appending) sendMember(ctx context.Context, msg *nats.Msg, acknowledged bool) error {
	if !acknowledged {
		err := a.log.conn.nats.PublishMsg(msg)
		if errors.Is(err, nats.ErrMaxPayload) {
			return a.log.conn.tooLarge(msg)
		}
		if err != nil {
			return fmt.Errorf("publish on %s: %w: %w", msg.Subject, ErrUnreachable, err)
		}
		return nil
	}
	reply, err := a.log.conn.ask(ctx, msg, publishTimeout+uploadTime(batchAckBytes))
	if err != nil {
		return fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	if len(reply.Data) == 0 {
		return nil
	}
	if err := decodeReply(reply.Data, nil); err != nil {
		return fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	return fmt.Errorf("publish on %s: the server does not know atomic batches: nats-server 2.12 or later is needed", msg.Subject)
}

func uploadTime(bytes int) time.Duration {
	return time.Duration(bytes) * time.Second / uploadRate
}
