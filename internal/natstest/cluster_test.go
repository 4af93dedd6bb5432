package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

// TestClusterLosesItsLeader stops the leader of a stream: another node takes
// over with everything that was acknowledged, and the first comes back.
func TestClusterLosesItsLeader(t *testing.T) {
	t.Parallel()
	c := natstest.StartCluster(t)
	js, err := c.Client(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	// A request is lost while the cluster elects once more, as it does on a machine that is busy.
	waiting.UntilNil(t, "a stream", func() error {
		_, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3})
		return err
	})
	if _, err := js.Publish("s", []byte("kept")); err != nil {
		t.Fatal(err)
	}

	first := c.Leader(t, "S")
	first.Stop(t)
	second := c.Leader(t, "S")
	if second == first {
		t.Fatal("a node leads that was stopped")
	}
	var msg *nats.RawStreamMsg
	waiting.UntilNil(t, "the message", func() (err error) { msg, err = js.GetMsg("S", 1); return err })
	if string(msg.Data) != "kept" {
		t.Errorf("read %q, want %q", msg.Data, "kept")
	}

	first.Restart(t)
	second.StepDown(t, "S")
	c.Leader(t, "S")
}
