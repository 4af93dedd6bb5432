package jetstream

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

// Headers of JetStream.
const (
	headerMessageID           = "Nats-Msg-Id"
	headerTTL                 = "Nats-TTL"
	headerExpectedLast        = "Nats-Expected-Last-Sequence"
	headerExpectedLastSubject = "Nats-Expected-Last-Subject-Sequence"
	headerBatchID             = "Nats-Batch-Id"
	headerBatchSequence       = "Nats-Batch-Sequence"
	headerBatchCommit         = "Nats-Batch-Commit"
)

// Outgoing is a message that is to be stored or sent.
type Outgoing struct{ msg *nats.Msg }

// NewOutgoing returns a message without headers. The data must not change until it is sent.
func NewOutgoing(subject string, data []byte) Outgoing {
	m := Outgoing{nats.NewMsg(subject)}
	m.msg.Data = data
	return m
}

// SetProof adds what proves the data.
func (m Outgoing) SetProof(proof string) { m.msg.Header.Set(changelog.ProofHeader, proof) }

// SetID adds the id by which a stream knows the message again.
func (m Outgoing) SetID(id string) { m.msg.Header.Set(headerMessageID, id) }

// SetExpiry has a stream that allows it remove the message after a time, of which fractions of a second do not count.
func (m Outgoing) SetExpiry(d time.Duration) {
	m.msg.Header.Set(headerTTL, strconv.FormatInt(int64(d/time.Second), 10)+"s")
}

// ExpectLast has the message stored only if the stream ends with a sequence.
func (m Outgoing) ExpectLast(sequence uint64) {
	m.msg.Header.Set(headerExpectedLast, strconv.FormatUint(sequence, 10))
}

// ExpectLastOfSubject has the message stored only if the newest one of its subject has a sequence; 0 is that there is none.
func (m Outgoing) ExpectLastOfSubject(sequence uint64) {
	m.msg.Header.Set(headerExpectedLastSubject, strconv.FormatUint(sequence, 10))
}

// member makes the message the n-th of an atomic batch.
func (m Outgoing) member(batch string, n int, last bool) {
	m.msg.Header.Set(headerBatchID, batch)
	m.msg.Header.Set(headerBatchSequence, strconv.Itoa(n))
	if last {
		m.msg.Header.Set(headerBatchCommit, "1")
	}
}
