package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

// What is read here is answered by the leader of a stream. Direct reads, which
// any replica answers, may lag behind and never prove that something is not
// there.

// leaseLimit is how recently a majority of a stream's servers must have spoken
// to the leader for its answer to count: an election takes at least four
// seconds, so no other server can have been elected since.
const leaseLimit = 2 * time.Second

// ErrNoMessage means that a stream has no such message.
var ErrNoMessage = errors.New("no such entry")

// StreamInfo is what a leader says about its stream.
type StreamInfo struct {
	Config  StreamConfig `json:"config"`
	Created time.Time    `json:"created"`
	State   StreamState  `json:"state"`
	Cluster *clusterInfo `json:"cluster"`
}

// StreamState is what a stream holds.
type StreamState struct {
	FirstSequence uint64 `json:"first_seq"`
	LastSequence  uint64 `json:"last_seq"`
	Messages      uint64 `json:"messages"`
	Bytes         uint64 `json:"bytes"`

	LastTime time.Time `json:"last_ts"`
}

type clusterInfo struct {
	Leader   string        `json:"leader"`
	Replicas []replicaInfo `json:"replicas"`
}

type replicaInfo struct {
	Active  int64 `json:"active"` // nanoseconds since the leader heard of it
	Offline bool  `json:"offline"`
}

// VerifyLease reports why the answer may come from a server that only believes
// it is the leader.
func (i *StreamInfo) VerifyLease() error {
	if i.Cluster == nil || i.Cluster.Leader == "" {
		return errors.New("the stream has no leader: check that most of its NATS servers run")
	}
	servers, active := 1+len(i.Cluster.Replicas), 1
	for _, r := range i.Cluster.Replicas {
		if !r.Offline && time.Duration(r.Active) <= leaseLimit {
			active++
		}
	}
	if active <= servers/2 {
		return fmt.Errorf("the leader %s reached %d of %d servers in the last %s, which is no majority: check the other NATS servers",
			i.Cluster.Leader, active, servers, leaseLimit)
	}
	return nil
}

// Info asks the leader about a stream.
func (c Client) Info(ctx context.Context, stream string) (*StreamInfo, error) {
	var answer StreamInfo
	if err := c.Request(ctx, "STREAM.INFO."+stream, nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// Message is a message as a stream holds it.
type Message struct {
	Subject  string `json:"subject"`
	Sequence uint64 `json:"seq"`
	Data     []byte `json:"data"` // base64 on the wire
	Headers  []byte `json:"hdrs"` // as above, of an answer of the leader; else they are in Proof

	StoredAt time.Time `json:"time"` // by the stream

	Proof string `json:"-"`

	header nats.Header // with what the server added, if it did; see StoredHeader
}

// Entry returns m as a message of the log of an environment.
func (m Message) Entry(environment string) changelog.Message {
	token, ok := strings.CutPrefix(m.Subject, FlagsSubject(environment)+".")
	if !ok {
		token = ""
	}
	return changelog.Message{Revision: m.Sequence, Subject: token, Proof: m.Proof, Data: m.Data}
}

// Message asks the leader for the message with a sequence. It returns
// errNoMessage when the leader has none.
func (c Client) Message(ctx context.Context, stream string, sequence uint64) (Message, error) {
	return c.Get(ctx, stream, MessageRequest{Sequence: sequence})
}

// LastMessage asks the leader for the newest message of a subject, which may
// hold wildcards. It returns errNoMessage when there is none.
func (c Client) LastMessage(ctx context.Context, stream, subject string) (Message, error) {
	return c.Get(ctx, stream, MessageRequest{LastBySubject: subject})
}

// MessageRequest says which message is meant: the one with a sequence, the last of a subject, or the next of one from a sequence on.
type MessageRequest struct {
	Sequence      uint64 `json:"seq,omitzero"`
	LastBySubject string `json:"last_by_subj,omitzero"`
	NextBySubject string `json:"next_by_subj,omitzero"`
}

// Get asks the leader for a message. It returns ErrNoMessage when the leader has none.
func (c Client) Get(ctx context.Context, stream string, r MessageRequest) (Message, error) {
	var answer struct {
		Message Message `json:"message"`
	}
	err := c.Request(ctx, "STREAM.MSG.GET."+stream, r, &answer)
	switch {
	case HasCode(err, codeNoMessageFound):
		return Message{}, ErrNoMessage
	case err != nil:
		return Message{}, err
	}
	m := answer.Message
	if headers, err := nats.DecodeHeadersMsg(m.Headers); err == nil {
		m.Proof, m.header = proofOf(headers), headers
	}
	return m, nil
}

// Subjects returns the subjects of a stream that match a filter and hold a
// message, as the leader has them.
func (c Client) Subjects(ctx context.Context, stream, filter string) (map[string]bool, error) {
	found := make(map[string]bool)
	for {
		var page struct {
			Total int `json:"total"`
			State struct {
				Subjects map[string]uint64 `json:"subjects"`
			} `json:"state"`
		}
		ask := map[string]any{"subjects_filter": filter, "offset": len(found)}
		if err := c.Request(ctx, "STREAM.INFO."+stream, ask, &page); err != nil {
			return nil, err
		}
		before := len(found)
		for subject := range page.State.Subjects {
			found[subject] = true
		}
		if len(found) >= page.Total || len(found) == before {
			return found, nil
		}
	}
}
