package upgrade_test

import (
	"testing"

	"github.com/flagside/flagside/internal/process"
)

// One publisher with its own log: sidecars first, then the publisher; and back, the publisher first. Flags change and are asked for all the time.
func TestSidecarsThenPublisher(t *testing.T) {
	v := programs(t)
	i := newInstallation(t, v.old, 2)
	i.startPublisher(0, v.old, "--data-dir", t.TempDir(), "--nats-addr", i.nats)
	i.begin(v.old)
	for _, step := range []struct {
		name    string
		program process.Binaries
	}{{"to the newer version", v.now}, {"again, with nothing to do", v.now}} {
		t.Log(step.name)
		i.replaceSidecar(0, step.program)
		i.replaceSidecar(1, step.program)
		i.replacePublisher(0, step.program)
	}
	t.Log("back to the version before")
	i.replacePublisher(0, v.old)
	i.replaceSidecar(0, v.old)
	i.replaceSidecar(1, v.old)
	i.end()
}

// Two publishers over servers of their own: one after the other, while both take changes.
func TestPublishersOneAfterTheOther(t *testing.T) {
	v := programs(t)
	i := newInstallation(t, v.old, 2)
	server, err := process.StartServer(i.ctx, t.TempDir())
	t.Cleanup(server.Kill)
	if err != nil {
		t.Fatal(err)
	}
	i.nats = server.Addresses()
	for place := range 2 {
		i.startPublisher(place, v.old, "--nats", server.URL(), "--replicas", "1")
	}
	i.begin(v.old)
	request := i.propose(0, "proposed-before")
	i.replaceSidecar(0, v.now)
	i.replaceSidecar(1, v.now)
	i.replacePublisher(0, v.now)
	i.apply(0, request, "proposed-before")
	request = i.propose(0, "proposed-here")
	i.apply(1, request, "proposed-here") // by the older one that is still beside it
	i.replacePublisher(1, v.now)
	request = i.propose(1, "proposed-after")
	t.Log("and back")
	i.replacePublisher(1, v.old)
	i.replacePublisher(0, v.old)
	i.apply(0, request, "proposed-after")
	i.replaceSidecar(1, v.old)
	i.replaceSidecar(0, v.old)
	i.end()
}
