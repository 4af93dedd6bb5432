package flagsync

import (
	"bytes"
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

// maxEncodings is how often a change is encoded for another place because noise
// took the one before.
const maxEncodings = 16

// appending is one transaction on its way into the log.
type appending struct {
	log     *Log
	stream  string
	basis   Basis
	after   uint64            // sequence behind which the change belongs, that of basis or more
	entries []changelog.Entry // not placed yet

	expected  uint64                // sequence that the stream must end with
	records   changelog.Transaction // as they will stand in the log behind that
	bodies    [][]byte              // the bytes of the records
	encodings int
	id        string // behind the digests in the ids of messages; "" until an id was taken
	sent      bool   // something may have reached a server
}

// newAppend prepares entries to follow basis, behind a sequence at least. It
// refuses what breaks a limit.
func (l *Log) newAppend(basis Basis, after uint64, entries []changelog.Entry) (*appending, error) {
	if len(entries) == 0 || len(entries) > changelog.MaxEntries {
		return nil, fmt.Errorf("a transaction of %d entries: 1 to %d are allowed, split it into several changes",
			len(entries), changelog.MaxEntries)
	}
	if l.conn.signer == nil || !l.conn.keys.Signs(l.conn.signer.ID()) {
		return nil, ErrKeyRetired
	}
	after = max(after, basis.Position().Revision)
	a := &appending{log: l, stream: flagsStream(l.environment), basis: basis, after: after, entries: entries}
	return a, a.encode(after)
}

func (a *appending) base() changelog.Position { return a.basis.Position() }

// encode places the entries behind a sequence, chains and signs them.
func (a *appending) encode(expected uint64) error {
	a.expected, a.records, a.bodies = expected, nil, nil
	a.encodings++
	ledger, control := a.log.anchors()
	state, prev := newOverlay(a.basis), a.base().Link()
	for i, e := range a.entries {
		e.Environment, e.Revision, e.Prev = a.log.environment, expected+uint64(i)+1, prev
		e.Ledger, e.Control = ledger, control
		state.apply(e)
		if e.Index == e.Count {
			e.State = state.edit.State().Digest()
		}
		if err := a.add(e); err != nil {
			return err
		}
		prev = a.records[i].Position().Link()
	}
	return nil
}

func (a *appending) add(e changelog.Entry) error {
	body, err := e.Encode()
	if err != nil {
		return err
	}
	r, err := changelog.DecodeRecord(e.Revision, body)
	if err != nil {
		return err
	}
	if !bytes.Equal(r.Put, e.Put) { // the state would be signed over other bytes than the log has
		return fmt.Errorf("entry %s: its body is not compact JSON", e.ID())
	}
	head, err := a.log.conn.signer.SignHead(a.log.environment, r.Head())
	if err != nil {
		return err
	}
	a.log.conn.keys.RememberHead(a.log.environment, head)
	r.Signature = head.Signature
	a.records, a.bodies = append(a.records, r), append(a.bodies, body)
	return nil
}

func (a *appending) opID() string { return a.entries[0].OpID }

func (a *appending) last() changelog.Record { return a.records[len(a.records)-1] }

// message returns the message of one record, without what makes it part of a
// batch. Its id is its digest: one that can be guessed could be used by others
// before, and the server would take ours for a duplicate. If that happens all the
// same, another id is used; that the stream must end with what was expected is
// enough for a change to be written once.
func (a *appending) message(i int) *nats.Msg {
	r := a.records[i]
	msg := nats.NewMsg(flagsSubject(a.log.environment) + "." + changelog.Subject(r.ID()))
	msg.Data = a.bodies[i]
	msg.Header.Set(changelog.ProofHeader, r.Head().ProofText())
	msg.Header.Set(headerMessageID, r.Digest.String()+a.id)
	if i == 0 { // a batch takes it on its first member only
		msg.Header.Set(headerExpectedLast, strconv.FormatUint(a.expected, 10))
	}
	return msg
}

// send publishes the change once: a single entry plainly, several as one atomic
// batch.
func (a *appending) send(ctx context.Context) (publishAck, error) {
	if !a.log.conn.Connected() {
		return publishAck{}, errNoConnection
	}
	if err := a.log.conn.StorageError(); err != nil {
		return publishAck{}, err
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
