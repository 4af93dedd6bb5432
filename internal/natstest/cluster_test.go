package natstest_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
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
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3}); err != nil {
		t.Fatal(err)
	}
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
	for deadline := time.Now().Add(20 * time.Second); msg == nil; time.Sleep(time.Millisecond) {
		if msg, err = js.GetMsg("S", 1); err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if string(msg.Data) != "kept" {
		t.Errorf("read %q, want %q", msg.Data, "kept")
	}

	first.Restart(t)
	second.StepDown(t, "S")
	c.Leader(t, "S")
}
