package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

// TestRestartKeepsStoreAndPort stores a message, restarts the server, and reads
// it back over a connection that was opened before.
func TestRestartKeepsStoreAndPort(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	url := s.URL()
	js := natstest.JetStream(t, s.Client(t))
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish("s", []byte("kept")); err != nil {
		t.Fatal(err)
	}

	s.Restart(t)

	if s.URL() != url {
		t.Errorf("address %s, before the restart it was %s", s.URL(), url)
	}
	var msg *nats.RawStreamMsg
	waiting.UntilNil(t, "the message", func() (err error) { msg, err = js.GetMsg("S", 1); return err })
	if string(msg.Data) != "kept" {
		t.Errorf("read %q, want %q", msg.Data, "kept")
	}
}
