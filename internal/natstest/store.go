package natstest

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
)

// storing is how long a server may take to store a message.
const storing = 30 * time.Second

// Client is a plain connection of nats.go.
type Client = nats.Conn

// Heard is a message as such a connection hears it.
type Heard = nats.Msg

// Message is what a stream stores.
type Message struct {
	Subject string
	Header  nats.Header
	Data    []byte
}

// With returns the message with one header more.
func (m Message) With(name, value string) Message {
	header := nats.Header{}
	for key, values := range m.Header {
		header[key] = append([]string(nil), values...)
	}
	header.Add(name, value)
	m.Header = header
	return m
}

// Store stores a message, as one who holds the NATS credential of a publisher can, and returns its sequence.
func Store(tb testing.TB, c *Client, m Message) uint64 {
	tb.Helper()
	reply, err := c.RequestMsg(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}, storing)
	if err != nil {
		tb.Fatalf("store a message on %s: %v", m.Subject, err)
	}
	var ack struct {
		Sequence uint64 `json:"seq"`
		Error    any    `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil || ack.Error != nil || ack.Sequence == 0 {
		tb.Fatalf("store a message on %s: %s, %v", m.Subject, reply.Data, err)
	}
	return ack.Sequence
}

// Stored returns the messages that a stream holds now, in order, as they can be stored again.
func Stored(tb testing.TB, c *Client, stream string) (all []Message) {
	tb.Helper()
	js := JetStream(tb, c)
	info, err := js.StreamInfo(stream)
	if err != nil {
		tb.Fatalf("stream %s: %v", stream, err)
	}
	return messages(js, stream, info.State.FirstSeq, info.State.LastSeq)
}

// Some returns a few messages of a stream, beginning anywhere: seed says where. A message that was purged is left out.
func Some(tb testing.TB, c *Client, stream string, seed uint64, count int) (all []Message) {
	tb.Helper()
	js := JetStream(tb, c)
	info, err := js.StreamInfo(stream)
	if err != nil || info.State.Msgs == 0 {
		return nil
	}
	first := info.State.FirstSeq + seed%(info.State.LastSeq-info.State.FirstSeq+1)
	return messages(js, stream, first, min(first+uint64(count)-1, info.State.LastSeq))
}

func messages(js nats.JetStreamContext, stream string, first, last uint64) (all []Message) {
	for sequence := first; sequence <= last; sequence++ {
		if m, err := js.GetMsg(stream, sequence); err == nil {
			all = append(all, Message{Subject: m.Subject, Header: repeatable(m.Header), Data: m.Data})
		}
	}
	return all
}

// repeatable returns the headers with which a message can be stored again: without those that make the server refuse it, or wait for more.
func repeatable(header nats.Header) nats.Header {
	again := nats.Header{}
	for name, values := range header {
		if !strings.HasPrefix(name, "Nats-Expected-") && !strings.HasPrefix(name, "Nats-Batch-") {
			again[name] = values
		}
	}
	return again
}

// StoredAt returns the message with a sequence exactly as a stream holds it.
func StoredAt(tb testing.TB, c *Client, stream string, sequence uint64) Message {
	tb.Helper()
	ask, err := json.Marshal(map[string]uint64{"seq": sequence})
	if err != nil {
		tb.Fatal(err)
	}
	reply, err := c.Request("$JS.API.STREAM.MSG.GET."+stream, ask, storing)
	if err != nil {
		tb.Fatalf("read %s at %d: %v", stream, sequence, err)
	}
	var answer struct {
		Message struct {
			Subject string `json:"subject"`
			Header  []byte `json:"hdrs"`
			Data    []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil || answer.Message.Subject == "" {
		tb.Fatalf("read %s at %d: %s, %v", stream, sequence, reply.Data, err)
	}
	m := Message{Subject: answer.Message.Subject, Data: answer.Message.Data}
	if len(answer.Message.Header) > 0 {
		if m.Header, err = nats.DecodeHeadersMsg(answer.Message.Header); err != nil {
			tb.Fatal(err)
		}
	}
	return m
}
