package natstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

// apiTimeout bounds one request to JetStream.
const apiTimeout = 30 * time.Second

// Damage replaces a stream by one that ends at a sequence and lacks others, as a
// server with a broken disk, or one that was put back, would show. The client must
// be permitted to use the JetStream API.
func Damage(tb testing.TB, c *nats.Conn, stream string, end uint64, lacks ...uint64) {
	tb.Helper()
	found, ok := call(tb, c, "STREAM.INFO."+stream, nil)["config"].(map[string]any)
	if !ok {
		tb.Fatalf("stream %s has no settings", stream)
	}
	messages := copied(tb, c, stream, end)
	call(tb, c, "STREAM.DELETE."+stream, nil)
	open := maps.Clone(found)
	open["deny_delete"] = false
	delete(open, "metadata")
	call(tb, c, "STREAM.CREATE."+stream, open)
	for i, msg := range messages {
		storeAt(tb, c, msg, uint64(i)+1)
	}
	for _, sequence := range lacks {
		call(tb, c, "STREAM.MSG.DELETE."+stream, map[string]uint64{"seq": sequence})
	}
	open["deny_delete"] = true
	call(tb, c, "STREAM.UPDATE."+stream, open)
}

// call asks JetStream, and ends the test when the answer is an error.
func call(tb testing.TB, c *nats.Conn, name string, body any) map[string]any {
	tb.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			tb.Fatal(err)
		}
	}
	reply, err := c.Request("$JS.API."+name, data, apiTimeout)
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal(reply.Data, &answer)
	}
	if err == nil && answer["error"] != nil {
		err = fmt.Errorf("%v", answer["error"])
	}
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return answer
}

// copied returns the first messages of a stream, as they were published.
func copied(tb testing.TB, c *nats.Conn, stream string, end uint64) (messages []*nats.Msg) {
	tb.Helper()
	js := JetStream(tb, c)
	for sequence := range end {
		stored, err := js.GetMsg(stream, sequence+1)
		if err != nil {
			tb.Fatalf("message %d of %s: %v", sequence+1, stream, err)
		}
		msg := nats.NewMsg(stored.Subject)
		msg.Data = stored.Data
		if proof := stored.Header.Get(changelog.ProofHeader); proof != "" {
			msg.Header.Set(changelog.ProofHeader, proof)
		}
		messages = append(messages, msg)
	}
	return messages
}

func storeAt(tb testing.TB, c *nats.Conn, msg *nats.Msg, sequence uint64) {
	tb.Helper()
	js := JetStream(tb, c)
	ack, err := js.PublishMsg(msg)
	if err != nil || ack.Sequence != sequence {
		tb.Fatalf("message %d is stored at %v, %v", sequence, ack, err)
	}
}
