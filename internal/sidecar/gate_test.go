package sidecar_test

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/waiting"
)

// All flags of an answer of the gate rest on one revision, while flags change together.
func TestTheGateMixesNoRevisions(t *testing.T) {
	t.Parallel()
	const flags, changes = 20, 150
	server := natstest.Start(t)
	p, stop := publish(t, server)
	defer stop()
	change := func(n int) {
		all := make(map[string]string)
		for i := range flags {
			all[fmt.Sprintf("f%02d", i)] = fmt.Sprintf(`{"state":"ENABLED","variants":{"v%d":1},"defaultVariant":"v%d"}`, n, n)
		}
		p.put(all)
	}
	change(0)
	keys := ""
	for i := range flags {
		keys += fmt.Sprintf(",f%02d", i)
	}
	o := sidecar.Options{Environment: environment, NATS: server.URL(), OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0", GateAddr: "127.0.0.1:0", PastRevisions: 16}
	o.Gate.Flags = map[string]string{"/": keys[1:]}
	s := start(t, o)
	waiting.Until(t, "flags", func() bool { return s.askGate().Get("X-Flag-F00") == "v0" })
	seen := make(map[string]bool)
	done := make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true
			default:
			}
			answer := s.askGate()
			first := answer.Get("X-Flag-F00")
			seen[first] = true
			for i := range flags {
				if got := answer.Get(fmt.Sprintf("X-Flag-F%02d", i)); got != first {
					t.Errorf("flag %d has %s, the first has %s", i, got, first)
				}
			}
		}
	}()
	for n := range changes {
		change(n + 1)
	}
	close(done)
	<-asked
	if len(seen) < 3 {
		t.Errorf("%d revisions were seen: the test tests nothing", len(seen))
	}
}
